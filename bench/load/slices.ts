import { randomFrom } from '../harness/texts.ts'
import type { CountedTurn } from '../harness/turns.ts'
import type { Appender } from './appenders.ts'

/** What appenders are given to do. */
export interface Writing {
  readonly writers: number
  /** The conversations that they choose from, each as likely as any other. */
  readonly conversationIds: readonly string[]
  readonly turns: readonly CountedTurn[]
}

/** How fast a slice of a few seconds went. */
export interface Slice {
  /** Milliseconds of each append. */
  readonly times: readonly number[]
  readonly perSecond: number
  /** Milliseconds of processor time that this process spent on an append. */
  readonly clientMs: number
}

/** What is done: how long each slice is, and how many there are of each appender. */
export interface Slices {
  readonly sliceMs: number
  readonly rounds: number
}

/**
 * Lets appenders write by turns, a slice each, in an order that changes from round to round: what else the machine does
 * hurts all of them alike. A round before the first is not counted.
 */
export async function takeSlices<Name extends string>(
  appenders: Readonly<Record<Name, Appender>>,
  writing: Writing,
  { sliceMs, rounds }: Slices,
): Promise<Record<Name, Slice[]>> {
  const names = Object.keys(appenders) as Name[]
  const slices = Object.fromEntries(names.map((name) => [name, [] as Slice[]])) as Record<Name, Slice[]>
  for (let round = 0; round <= rounds; round++) {
    for (let place = 0; place < names.length; place++) {
      const name = names[(place + round) % names.length]!
      const slice = await write(appenders[name], writing, { sliceMs, seed: round + 1 })
      if (round > 0) slices[name].push(slice)
    }
  }
  return slices
}

async function write(
  appender: Appender,
  { writers, conversationIds, turns }: Writing,
  { sliceMs, seed }: { readonly sliceMs: number; readonly seed: number },
): Promise<Slice> {
  const random = randomFrom(seed)
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)]!
  const times: number[] = []
  const before = process.cpuUsage()
  const begin = performance.now()
  const work = async () => {
    for (let start = performance.now(); start < begin + sliceMs; start = performance.now()) {
      await appender.append(pick(conversationIds), pick(turns))
      times.push(performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: writers }, work))
  const took = performance.now() - begin
  const { user, system } = process.cpuUsage(before)
  return {
    times,
    perSecond: (times.length / took) * 1000,
    clientMs: (user + system) / 1000 / times.length,
  }
}
