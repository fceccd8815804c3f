import { createRequire } from 'node:module'
import { setTimeout } from 'node:timers/promises'
import { MissingDriverError } from '../../errors.ts'
import { reduceCause } from '../../redact.ts'
import { OpenFiles } from './files/open-files.ts'
import type { SqliteSession } from './session.ts'

/**
 * How long SQLite may wait for a lock inside one call, in milliseconds. Short, because that wait blocks the whole
 * process: the store waits between attempts instead, where others can run.
 */
const BUSY_TIMEOUT_MS = 20

/** Does what it is given, which ends at once. */
export type Run = <T>(work: () => T) => T

/** A database of our own, how work on it is done, and how to close it. */
export interface SqliteConnection {
  readonly session: SqliteSession
  /** Runs what reads. @throws {DatabaseError} when the path no longer leads to the file that is open. */
  readonly read: Run
  /**
   * Runs what writes.
   *
   * @throws {DatabaseError} when a file that is open was moved, deleted or replaced.
   * @throws {OutcomeUnknownError} when that happened meanwhile.
   */
  readonly write: Run
  /**
   * The same in one transaction, which holds the write lock from its start: no two writers see the same last position.
   */
  readonly writeAtomically: Run
  /** Gives the file a write-ahead log, for good, so that readers and a writer do not wait for each other. */
  useWriteAheadLog(): void
  close(): void
}

/**
 * Opens a database file, or `:memory:`, so that what was acknowledged survives a power loss: `synchronous = extra`.
 * Nothing in the file changes.
 *
 * (better-sqlite3's default for a write-ahead log is `normal`, which loses the newest commits. `full` would do for that
 * log; but a copy made by `vacuum into` has none, and without one the last commit may come undone under `full`: the
 * deletion of its journal is not on the disk yet.)
 *
 * @throws {MissingDriverError} when better-sqlite3 cannot be loaded.
 */
export async function connect(path: string): Promise<SqliteConnection> {
  const { Database, drizzle } = await loadDriver()
  checkDriver(require('better-sqlite3/package.json') as { version: string })
  const client = new Database(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    const files = await onceFree(() => {
      client.pragma('synchronous = extra')
      client.pragma('foreign_keys = on')
      return client.memory ? undefined : new OpenFiles(client)
    })
    const run = waitingOnceATurn(client)
    // Made once: better-sqlite3 makes a handful of functions for each that it is given.
    const transaction = client.transaction((work: () => unknown) => work())
    const write: Run = (work) => {
      leaveTransaction(client)
      files?.checkBeforeWrite()
      const result = run(work)
      files?.checkAfterWrite()
      return result
    }
    return {
      session: drizzle({ client }),
      read(work) {
        leaveTransaction(client)
        files?.checkBeforeRead()
        return run(work)
      },
      write,
      writeAtomically: <T>(work: () => T) => write(() => transaction.immediate(work) as T),
      useWriteAheadLog: () => void client.pragma('journal_mode = wal'),
      close: () => client.close(),
    }
  } catch (error) {
    client.close()
    throw error
  }
}

/** The slice of better-sqlite3's database that is used here. */
interface Client {
  readonly open: boolean
  readonly inTransaction: boolean
  exec(source: string): unknown
  pragma(source: string): unknown
}

/**
 * Where a rollback failed, the connection is still inside of its transaction: what is done next would be acknowledged, and
 * never committed.
 */
function leaveTransaction(client: Client): void {
  if (client.inTransaction) client.exec('rollback')
}

/**
 * Once a call has waited for a lock in vain, SQLite waits for none any more within the same turn of the event loop.
 * Hundreds of calls may be due in one turn, and each would hold the process up for as long again: 2 seconds for 100 of
 * them, as was measured before.
 */
function waitingOnceATurn(client: Client): Run {
  const wait = (ms: number) => void client.pragma(`busy_timeout = ${ms}`)
  let hasWaited = false
  return (work) => {
    try {
      return work()
    } catch (error) {
      if (!hasWaited && reduceCause(error).code === 'SQLITE_BUSY') {
        hasWaited = true
        wait(0)
        setImmediate(() => {
          hasWaited = false
          if (client.open) wait(BUSY_TIMEOUT_MS)
        })
      }
      throw error
    }
  }
}

/** How often it is tried, and the longest pause between two tries in milliseconds: some 10 seconds in all. */
const TRIES = 400
const PAUSE_MS = 50

/** Even the settings of a connection read the file, which is busy while another process gives it its write-ahead log. */
async function onceFree<T>(work: () => T): Promise<T> {
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
