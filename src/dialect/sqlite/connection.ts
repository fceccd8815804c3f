import { setTimeout } from 'node:timers/promises'
import { MissingDriverError } from '../../errors.ts'
import { reduceCause } from '../../redact.ts'
import type { SqliteSession } from './queries.ts'

/**
 * How long SQLite may wait for a lock inside one call, in milliseconds. Short, because that wait blocks the whole
 * process: the store waits between attempts instead, where others can run.
 */
const BUSY_TIMEOUT_MS = 20

/** A database of our own, and how to close it. */
export interface SqliteConnection {
  readonly session: SqliteSession
  close(): void
}

/**
 * Opens a database file, or `:memory:`, so that what was acknowledged survives a power loss: write-ahead log,
 * `synchronous = full`. (better-sqlite3's default for the log is `normal`, which loses the newest commits.)
 *
 * @throws {MissingDriverError} when better-sqlite3 cannot be loaded.
 */
export async function connect(path: string): Promise<SqliteConnection> {
  const { Database, drizzle } = await loadDriver()
  const client = new Database(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    await switchToWal(client)
    client.pragma('synchronous = full')
    client.pragma('foreign_keys = on')
  } catch (error) {
    client.close()
    throw error
  }
  return { session: drizzle({ client }), close: () => client.close() }
}

/** How often the switch is tried, and the longest pause between two tries in milliseconds: some 10 seconds in all. */
const SWITCH_TRIES = 400
const SWITCH_PAUSE_MS = 50

/** The first process to open a file switches it; those that come at that moment are told that it is busy. */
async function switchToWal(client: { pragma(text: string): unknown }): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      client.pragma('journal_mode = wal')
      return
    } catch (error) {
      if (tries === SWITCH_TRIES || reduceCause(error).code !== 'SQLITE_BUSY') throw error
      await setTimeout(Math.random() * SWITCH_PAUSE_MS)
    }
  }
}

async function loadDriver() {
  try {
    const { default: Database } = await import('better-sqlite3')
    const { drizzle } = await import('drizzle-orm/better-sqlite3')
    return { Database, drizzle }
  } catch (error) {
    throw new MissingDriverError(
      'SQLite needs the package better-sqlite3, version 12 or 13: npm install better-sqlite3',
      { cause: error },
    )
  }
}
