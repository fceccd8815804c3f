import { Pool } from 'pg'

/** As many connections as each peer may use: node-postgres's default, which LangChain, LangGraph and Mastra build on. */
export const CONNECTIONS = 10

/** Connections for a peer that takes a pool of node-postgres. */
export function openPool(postgresUrl: string): Pool {
  const pool = new Pool({ connectionString: postgresUrl, max: CONNECTIONS })
  // An idle connection that the server ends would end the process: at the end of a run, which may be that of an error.
  pool.on('error', () => {})
  return pool
}

/** Bytes of some tables, as far as they are there, with their indexes and what is kept out of line. */
export async function tableBytes(pool: Pool, tables: readonly string[]): Promise<number> {
  const { rows } = await pool.query<{ bytes: string }>(
    'select coalesce(sum(pg_total_relation_size(to_regclass(name))), 0) as bytes from unnest($1::text[]) as name',
    [tables],
  )
  return Number(rows[0]!.bytes)
}
