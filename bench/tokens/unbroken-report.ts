import type { EncodingName } from '../../src/tokens/encodings.ts'
import type { Cell, Report } from '../harness/report.ts'
import type { Library } from './libraries.ts'
import type { Run } from './runs.ts'
import { countUnbroken, type Outcome } from './unbroken.ts'

/** What is counted of unbroken runs. */
export interface UnbrokenPlan {
  readonly runs: readonly Run[]
  /** Bytes of UTF-8, rising. */
  readonly sizes: readonly number[]
  /** How long one count may take. */
  readonly capMs: number
}

/** Runs that are drawn: an alphabet that other encoders merge quadratically, and one that people write without spaces. */
const DRAWN: readonly Run[] = ['letter a', 'Chinese']

/** How long each library takes for texts without a break, as they grow. */
export async function reportUnbroken(
  report: Report,
  encoding: EncodingName,
  libraries: readonly Library[],
  { runs, sizes, capMs }: UnbrokenPlan,
): Promise<void> {
  const rows = []
  for (const run of runs) {
    const outcomes = new Map<Library, Outcome[]>()
    for (const library of libraries) {
      outcomes.set(library, await countUnbroken({ library, encoding }, run, sizes, capMs))
    }
    for (const [at, bytes] of sizes.entries()) {
      const each = [...outcomes].map(([library, all]) => [library, all[at]!] as const)
      rows.push({
        run,
        KB: bytes / 1000,
        ...Object.fromEntries(each.map(([library, outcome]) => [`${library} ms`, shown(outcome, capMs)])),
        counts: differences(each),
      })
    }
    if (DRAWN.includes(run)) draw(report, run, outcomes, { sizes, capMs })
  }
  report.table(
    `Unbroken runs in ${encoding}, milliseconds. A process is given ${capMs / 1000} s for a count, ` +
      'and is not asked for a larger one after that',
    rows,
  )
}

function shown(outcome: Outcome, capMs: number): Cell {
  if (outcome === 'late') return `> ${capMs}`
  return outcome === 'crashed' ? outcome : outcome.ms
}

function differences(each: readonly (readonly [Library, Outcome])[]): string {
  const counted = each.flatMap(([library, outcome]) =>
    typeof outcome === 'string' ? [] : [[library, outcome.tokens] as const],
  )
  if (counted.length < 2) return ''
  const [[, ours]] = counted as [(typeof counted)[number]]
  const wrong = counted.filter(([, tokens]) => tokens !== ours)
  return wrong.length === 0
    ? 'equal'
    : wrong.map(([library, tokens]) => `${library} ${tokens} for ${ours}`).join(', ')
}

function draw(
  report: Report,
  run: Run,
  outcomes: ReadonlyMap<Library, readonly Outcome[]>,
  { sizes, capMs }: Pick<UnbrokenPlan, 'sizes' | 'capMs'>,
): void {
  const series = [...outcomes].map(([name, all]) => ({
    name,
    points: all.flatMap((outcome, at) =>
      typeof outcome === 'string' ? [] : [[sizes[at]! / 1000, outcome.ms] as const],
    ),
  }))
  report.lines(run.replaceAll(' ', '-').toLowerCase(), {
    title: `Counting an unbroken run (${run}); a line ends where a count takes over ${capMs / 1000} s`,
    x: { name: 'KB', scale: 'log' },
    y: { name: 'milliseconds', scale: 'log' },
    series,
  })
}
