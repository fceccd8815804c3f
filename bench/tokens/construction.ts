import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { EncodingName } from '../../src/tokens/encodings.ts'
import { spread } from '../harness/measure.ts'
import type { Report } from '../harness/report.ts'
import type { Library } from './libraries.ts'

/** What it took to load one library with one encoding in a new process, its modules included. */
export interface Construction {
  readonly ms: number
  /** How late the event loop came at most meanwhile. */
  readonly lateMs: number
  /** What of the time went into js-tiktoken's module of ranks alone, which backscroll loads too. */
  readonly ranksMs: number
  /** Bytes that stay: the heap and array buffers after a collection, and all memory of the process. */
  readonly heap: number
  readonly rss: number
}

const SCRIPT = fileURLToPath(new URL('construct.ts', import.meta.url))

/** What it takes to be ready to count. The libraries take turns, a process each. */
export function reportConstruction(
  report: Report,
  encodings: readonly EncodingName[],
  libraries: readonly Library[],
  processes: number,
): void {
  const rows = []
  for (const encoding of encodings) {
    const found = new Map<Library, Construction[]>(libraries.map((library) => [library, []]))
    for (let round = 0; round < processes; round++) {
      for (const library of libraries) found.get(library)!.push(construct(library, encoding))
    }
    for (const [library, all] of found) {
      const median = (figure: keyof Construction) => spread(all.map((one) => one[figure])).median
      rows.push({
        encoding,
        library,
        ms: median('ms'),
        'event loop late ms': median('lateMs'),
        'heap MB': median('heap') / 1e6,
        'RSS MB': median('rss') / 1e6,
        ...(library === 'backscroll' ? { 'of it, ranks module ms': median('ranksMs') } : {}),
      })
    }
  }
  report.table(`Construction with the import, median of ${processes} processes`, rows)
}

function construct(library: Library, encoding: EncodingName): Construction {
  const args = [...process.execArgv, '--expose-gc', SCRIPT, library, encoding]
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Construction
}
