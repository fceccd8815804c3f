import { InvalidArgumentError } from '../../errors.ts'
import { described, kindsOf } from '../kind.ts'
import type { SqliteSession } from './session.ts'

/**
 * A host's database, if its driver is one that a store can work on.
 *
 * Others are refused here, since they would fail later or do half: most answer later, while a write here reads what it
 * builds upon and writes, all at once; those that do answer at once (sql.js, Durable Objects, Bun) do not tell drizzle how
 * many rows they changed.
 *
 * @throws {InvalidArgumentError} for anything else.
 */
export function checkDatabase(value: SqliteSession): SqliteSession {
  if (kindsOf(value).includes('BetterSQLite3Database')) return value
  throw new InvalidArgumentError(
    `sqliteStore takes a drizzle database on better-sqlite3 (drizzle-orm/better-sqlite3); got ${described(value)}.`,
  )
}

/** The same for one of its transactions. */
export function checkTransaction(value: SqliteSession): SqliteSession {
  if (kindsOf(value).includes('BetterSQLiteTransaction')) return value
  throw new InvalidArgumentError(
    `withTransaction takes the transaction that \`db.transaction((tx) => …)\` gives; got ${described(value)}.`,
  )
}
