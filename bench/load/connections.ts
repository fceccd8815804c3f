import { setTimeout } from 'node:timers/promises'
import postgres from 'postgres'

/** How many connections a database has, this one not counted, and how many of them run something. */
export interface Connections {
  readonly open: number
  readonly busy: number
}

const EVERY_MS = 1000

/** Counts the connections to a database once a second while the work goes on. */
export async function countConnections<T>(url: string, work: Promise<T>): Promise<[T, Connections[]]> {
  const counts: Connections[] = []
  const sql = postgres(url, { max: 1 })
  const ended = new AbortController()
  const count = async () => {
    while (!ended.signal.aborted) {
      const [row] = await sql<Connections[]>`
        select cast(count(*) as int) as open, cast(count(*) filter (where state <> 'idle') as int) as busy
        from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`
      counts.push(row!)
      await setTimeout(EVERY_MS)
    }
  }
  try {
    const [result] = await Promise.all([work.finally(() => ended.abort()), count()])
    return [result, counts]
  } finally {
    await sql.end()
  }
}
