import type { EncodingName } from '../../src/tokens/encodings.ts'
import { ratioOf, spread, takeTurns } from '../harness/measure.ts'
import type { Report } from '../harness/report.ts'
import { prose, randomFrom, TEXT_KINDS } from '../harness/texts.ts'
import { LIBRARIES, type CountTokens, type Library } from './libraries.ts'

/** Characters of a text: a long answer. */
const CHARACTERS = 2000
/** Texts that a call counts, one after the other: other libraries' calls in between have taken the processor's caches. */
const TEXTS = 5
/** How long each library counts before, in milliseconds, so that V8 has compiled what it will. */
const WARM_UP_MS = 300

/** How fast each library counts what people and models write, and whether it counts the same. */
export async function reportThroughput(
  report: Report,
  encodings: readonly EncodingName[],
  libraries: readonly Library[],
  rounds: number,
): Promise<void> {
  const rows = []
  for (const encoding of encodings) {
    const counters = await loadAll(libraries, encoding)
    for (const kind of TEXT_KINDS) {
      for (const count of counters.values()) warmUp(count, prose(kind, CHARACTERS, randomFrom(WARM_UP_SEED)))
      const texts = Array.from({ length: TEXTS * rounds }, (_, seed) =>
        prose(kind, CHARACTERS, randomFrom(seed)),
      )
      const times = await takeTurns(callsOf(counters, texts), { rounds, warmUp: 0 })
      const megabytes = Buffer.byteLength(texts.join('')) / rounds / 1e6
      const peers = libraries.filter((library) => library !== 'backscroll')
      rows.push({
        encoding,
        text: kind,
        ...Object.fromEntries(
          libraries.map((library) => [
            `${library} MB/s`,
            megabytes / (spread(times[library]!).median / 1000),
          ]),
        ),
        ...Object.fromEntries(
          peers.map((peer) => [`times ${peer}`, ratioOf(times[peer]!, times['backscroll']!)]),
        ),
        counts: differences(counters, texts),
      })
    }
  }
  report.table(
    `Throughput on texts of ${CHARACTERS} characters, each counted once, ${TEXTS} a call, median of ${rounds} calls`,
    rows,
  )
}

async function loadAll(
  libraries: readonly Library[],
  encoding: EncodingName,
): Promise<ReadonlyMap<Library, CountTokens>> {
  const counters = new Map<Library, CountTokens>()
  for (const library of libraries) counters.set(library, await LIBRARIES[library](encoding))
  return counters
}

/** No text that is measured begins at it. */
const WARM_UP_SEED = 1_000_000

function warmUp(count: CountTokens, text: string): void {
  const start = performance.now()
  while (performance.now() - start < WARM_UP_MS) count(text)
}

/** Each call counts the next texts: what a library remembers of some is of use for what others have in common with them. */
function callsOf(
  counters: ReadonlyMap<Library, CountTokens>,
  texts: readonly string[],
): Record<string, () => void> {
  const calls = [...counters].map(([library, count]) => {
    let next = 0
    const call = () => {
      for (const text of texts.slice(next, next + TEXTS)) count(text)
      next += TEXTS
    }
    return [library, call] as const
  })
  return Object.fromEntries(calls)
}

/** What a library counts where it is not what js-tiktoken counts, which is right by definition here. */
function differences(counters: ReadonlyMap<Library, CountTokens>, texts: readonly string[]): string {
  const totals = [...counters].map(([library, count]) => {
    return [library, texts.reduce((total, text) => total + count(text), 0)] as const
  })
  const [, right] = totals.find(([library]) => library === 'js-tiktoken')!
  const wrong = totals.filter(([, total]) => total !== right)
  if (wrong.length === 0) return 'equal'
  return wrong.map(([library, total]) => `${library} ${total} for ${right}`).join(', ')
}
