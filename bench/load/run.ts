import type { Second } from './app.ts'
import { countConnections, type Connections } from './connections.ts'
import type { Ledger, Proof } from './ledger.ts'
import { runApps } from './processes.ts'
import type { PopulationSize } from './population.ts'

/** How long and on how much. */
export interface LoadSize {
  readonly population: PopulationSize
  /** Seconds that are measured. */
  readonly seconds: number
  /** Seconds before them that are not: connections are made, code is compiled, the heap finds its size. */
  readonly warmUp: number
}

/** Where a run works. */
export interface RunOptions {
  readonly name: string
  /** As the apps are given it. */
  readonly url: string
  /** Past what may stand between: where turns are counted, and on Postgres connections. */
  readonly directUrl: string
  readonly processes: number
  readonly ledger: Ledger
}

/** What came of it: the measured seconds of each process, and what the database held after them. */
export interface Run {
  readonly name: string
  readonly processes: readonly (readonly Second[])[]
  /** A second after the other, the warm-up included; empty on SQLite. */
  readonly connections: readonly Connections[]
  readonly proof: Proof
}

/** Clients of all processes together. */
export const CLIENTS = 32
/** Tokens of the window that each step loads. */
export const MAX_TOKENS = 8000

/** Lets an app's clients work on a filled database, and proves that it then holds what they were told. */
export async function runLoad(
  { name, url, directUrl, processes, ledger }: RunOptions,
  { population, seconds, warmUp }: LoadSize,
): Promise<Run> {
  const work = runApps(
    Array.from({ length: processes }, (_, at) => ({
      name: `${name}-${at}`,
      url,
      clients: CLIENTS / processes,
      // One more, in which they end, and which is not measured either.
      seconds: warmUp + seconds + 1,
      maxTokens: MAX_TOKENS,
      size: population,
      seed: at + 1,
    })),
  )
  const [told, connections] = url.startsWith('sqlite:')
    ? [await work, []]
    : await countConnections(directUrl, work)
  for (const second of told.flat()) ledger.add(second.acknowledged)
  const proof = await ledger.prove(directUrl)
  return { name, processes: told.map((all) => all.slice(warmUp, warmUp + seconds)), connections, proof }
}
