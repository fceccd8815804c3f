import { setTimeout } from 'node:timers/promises'
import postgres from 'postgres'
import type { PostgresServer } from '../support/postgres-server.ts'
import type { Random } from '../support/texts.ts'
import type { Target } from './target.ts'

/** How many backends to end, and by what luck they are chosen. */
export interface KillOptions {
  readonly faults: number
  /** Between two of them, in milliseconds. */
  readonly everyMs: number
  readonly random: Random
}

/**
 * Ends backends of a database, one after another, three of four times one that is in the midst of a statement. Gives
 * how many it ended.
 */
export async function killBackends(
  server: PostgresServer,
  { url }: Target,
  { faults, everyMs, random }: KillOptions,
  signal: AbortSignal,
): Promise<number> {
  const database = new URL(url).pathname.slice(1)
  const admin = postgres(server.url, { max: 1, fetch_types: false, onnotice: () => {} })
  try {
    let killed = 0
    while (killed < faults && !signal.aborted) {
      const orState = random.below(4) === 0 ? 'idle' : 'active'
      const backends = await admin<{ pid: number }[]>`
        select pid from pg_stat_activity
        where datname = ${database} and backend_type = 'client backend' and state in ('active', ${orState})
        order by pid`
      if (backends.length > 0) {
        const { pid } = random.pick(backends)
        const [row] = await admin<{ done: boolean }[]>`select pg_terminate_backend(${pid}) as done`
        if (row?.done) killed++
      }
      await setTimeout(everyMs)
    }
    return killed
  } finally {
    await admin.end()
  }
}

/** Waits until the server has ended every connection to a database: what was under way is then stored, or is not. */
export async function untilDisconnected(server: PostgresServer, { url }: Target): Promise<void> {
  const database = new URL(url).pathname.slice(1)
  const admin = postgres(server.url, { max: 1, fetch_types: false, onnotice: () => {} })
  try {
    for (;;) {
      const backends = await admin`
        select 1 from pg_stat_activity where datname = ${database} and backend_type = 'client backend'`
      if (backends.length === 0) return
      await setTimeout(5)
    }
  } finally {
    await admin.end()
  }
}
