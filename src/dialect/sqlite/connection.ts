import { createRequire } from 'node:module'
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
  /** Gives the file a write-ahead log, for good, so that readers and a writer do not wait for each other. */
  useWriteAheadLog(): void
  close(): void
}

/**
 * Opens a database file, or `:memory:`, so that what was acknowledged survives a power loss: `synchronous = full`.
 * (better-sqlite3's default for a write-ahead log is `normal`, which loses the newest commits.) Nothing in the file
 * changes.
 *
 * @throws {MissingDriverError} when better-sqlite3 cannot be loaded.
 */
export async function connect(path: string): Promise<SqliteConnection> {
  const { Database, drizzle } = await loadDriver()
  checkDriver(require('better-sqlite3/package.json') as { version: string })
  const client = new Database(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    await onceFree(() => void client.pragma('synchronous = full'))
    client.pragma('foreign_keys = on')
  } catch (error) {
    client.close()
    throw error
  }
  return {
    session: drizzle({ client }),
    useWriteAheadLog: () => void client.pragma('journal_mode = wal'),
    close: () => client.close(),
  }
}

/** How often it is tried, and the longest pause between two tries in milliseconds: some 10 seconds in all. */
const TRIES = 400
const PAUSE_MS = 50

/** Even the settings of a connection read the file, which is busy while another process gives it its write-ahead log. */
async function onceFree(work: () => void): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return work()
    } catch (error) {
      if (tries === TRIES || reduceCause(error).code !== 'SQLITE_BUSY') throw error
      await setTimeout(Math.random() * PAUSE_MS)
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

const require = createRequire(import.meta.url)

/** From 13 on it needs Node-API 10, which Node has from 22.14 on. An older one is not refused there: the process crashes. */
function checkDriver({ version }: { version: string }): void {
  if (Number.parseInt(version) < 13 || Number(process.versions.napi) >= 10) return
  throw new MissingDriverError(
    'better-sqlite3 13 needs Node 22.14 or later. On this Node: npm install better-sqlite3@12',
  )
}
