import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import type { Cache } from 'drizzle-orm/cache/core'
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3'
import { drizzle as drizzlePostgres } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { inject } from 'vitest'
import { postgresStore } from '../../src/postgres.ts'
import { sqliteStore } from '../../src/sqlite.ts'
import type { StoreOptions } from '../../src/index.ts'

/** A statement as drizzle gave it to the driver. */
export interface Statement {
  readonly sql: string
  readonly params: unknown[]
}

export type SqliteHost = ReturnType<typeof sqliteHost>
export type PostgresHost = Awaited<ReturnType<typeof postgresHost>>

/**
 * A host app with an SQLite file of its own: its client, its drizzle database, and backscroll's store on that. The
 * tables are not made yet. `statements` is what drizzle ran since the last `statements.length = 0`.
 */
export function sqliteHost(options?: StoreOptions) {
  const folder = mkdtempSync(join(tmpdir(), 'backscroll-host-'))
  const path = join(folder, 'host.db')
  const client = new Sqlite(path)
  client.pragma('journal_mode = wal')
  client.pragma('synchronous = full')
  const statements: Statement[] = []
  const db = drizzleSqlite({ client, logger: recorder(statements) })
  const close = async () => {
    client.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return {
    name: 'sqlite' as const,
    url: `sqlite:${path}`,
    client,
    db,
    statements,
    store: sqliteStore(db, options),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** The same with a Postgres database of its own. */
export async function postgresHost({ cache, ...options }: StoreOptions & { readonly cache?: Cache } = {}) {
  const url = new URL(inject('postgresUrl'))
  const admin = postgres(url.href, { max: 1, onnotice: () => {} })
  const name = `backscroll_host_${randomBytes(6).toString('hex')}`
  await admin.unsafe(`create database ${name}`)
  url.pathname = `/${name}`
  const client = postgres(url.href, { max: 8, fetch_types: false, onnotice: () => {} })
  const statements: Statement[] = []
  const db = drizzlePostgres({ client, logger: recorder(statements), ...(cache && { cache }) })
  const close = async () => {
    await client.end({ timeout: 1 })
    await admin.unsafe(`drop database ${name} with (force)`)
    await admin.end()
  }
  return {
    name: 'postgres' as const,
    url: url.href,
    client,
    db,
    statements,
    store: postgresStore(db, options),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Waits until so many statements of the database stand before a lock. Fails by the test's own timeout. */
export async function untilWaiting({ client }: PostgresHost, statements = 1): Promise<void> {
  for (;;) {
    const [row] = await client`
      select count(*)::int as waiting from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`
    if (Number(row?.['waiting']) >= statements) return
    await setTimeout(5)
  }
}

/** A promise and the function that settles it: to hold a transaction open until the test has seen what it wants. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open }
}

function recorder(statements: Statement[]) {
  return { logQuery: (sql: string, params: unknown[]) => void statements.push({ sql, params }) }
}
