import Sqlite from 'better-sqlite3'
import postgres from 'postgres'
import type { TestDatabase } from '../support/databases.ts'

/** A database that holds the old tables. */
export type OldDatabase = Pick<TestDatabase, 'name' | 'url'>

/** Makes tables and fills them. */
export async function runScript({ name, url }: OldDatabase, statements: string): Promise<void> {
  if (name === 'sqlite') return onSqlite(url, (client) => void client.exec(statements))
  await onPostgres(url, (client) => client.unsafe(statements).simple())
}

/** The lines that `psql -At` or `sqlite3` prints for a query: its values as the database writes them. */
export async function printed({ name, url }: OldDatabase, query: string): Promise<string[]> {
  const rows =
    name === 'sqlite'
      ? onSqlite(url, (client) => client.prepare(query).raw().all() as unknown[][])
      : await onPostgres(url, (client) => client.unsafe(query).raw())
  return rows.map((values) => values.map(String).join('|'))
}

function onSqlite<T>(url: string, work: (client: Sqlite.Database) => T): T {
  const client = new Sqlite(url.slice('sqlite:'.length))
  try {
    return work(client)
  } finally {
    client.close()
  }
}

async function onPostgres<T>(url: string, work: (client: postgres.Sql) => Promise<T>): Promise<T> {
  const client = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} })
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** A value as it stands in a statement. */
export function quoted(value: unknown): string {
  if (value === null) return 'null'
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return `'${text.replaceAll("'", "''")}'`
}
