import { setImmediate } from 'node:timers/promises'

/** What is measured: one call of it, which may be waited for. */
export type Call = () => unknown

/** How many calls of each are measured, and how many go before. */
export interface Rounds {
  readonly rounds: number
  /** Default: a tenth of the rounds, and at least 5. */
  readonly warmUp?: number
}

/**
 * Milliseconds of each call of each subject. They take turns, a call each, in an order that changes from round to round:
 * what else the machine does hurts all of them alike, so that ratios hold where the milliseconds do not.
 */
export async function takeTurns<Name extends string>(
  subjects: Readonly<Record<Name, Call>>,
  { rounds, warmUp = Math.max(5, Math.ceil(rounds / 10)) }: Rounds,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(subjects) as Name[]
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  for (let round = -warmUp; round < rounds; round++) {
    for (let place = 0; place < names.length; place++) {
      const name = names[(place + round + warmUp) % names.length]!
      // A turn of the event loop before each: none of them starts with what the one before left to be done.
      await setImmediate()
      const start = performance.now()
      await subjects[name]()
      const took = performance.now() - start
      if (round >= 0) times[name].push(took)
    }
  }
  return times
}

/** How a set of times is spread, in their unit. */
export interface Spread {
  readonly median: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

/** The spread of a set of figures, by nearest rank. */
export function spread(figures: readonly number[]): Spread {
  const sorted = Float64Array.from(figures).sort()
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
  return { median: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) }
}

/** How often one median is the other. */
export function ratioOf(figures: readonly number[], floor: readonly number[]): number {
  return spread(figures).median / spread(floor).median
}
