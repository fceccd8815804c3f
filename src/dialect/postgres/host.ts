import { PgDatabase, PgTransaction } from 'drizzle-orm/pg-core'
import { InvalidArgumentError } from '../../errors.ts'
import { described, isKind, kindsOf } from '../kind.ts'
import type { PostgresSession } from './session.ts'

/** The drivers that send a text of two statements as it is: naming a user to row-level security takes that. */
const OF_TWO_STATEMENTS = [
  'PostgresJsDatabase',
  'NodePgDatabase',
  'NeonServerlessDatabase',
  'VercelPgDatabase',
]

/**
 * A host's database, if a store can work on it.
 *
 * @throws {InvalidArgumentError} for anything else, and for `rowLevelSecurity` with a driver that cannot name the user.
 */
export function checkDatabase(
  value: PostgresSession,
  { rowLevelSecurity }: { readonly rowLevelSecurity: boolean },
): PostgresSession {
  if (!isKind(value, PgDatabase) || isKind(value, PgTransaction)) {
    throw new InvalidArgumentError(
      `postgresStore takes a drizzle database on Postgres; got ${described(value)}.`,
    )
  }
  if (rowLevelSecurity && !kindsOf(value).some((kind) => OF_TWO_STATEMENTS.includes(kind))) {
    throw new InvalidArgumentError(
      `rowLevelSecurity needs postgres.js or node-postgres, which send two statements in one text; got ${described(value)}.`,
    )
  }
  return value
}

/** One of its transactions. @throws {InvalidArgumentError} for anything else. */
export function checkTransaction(value: PostgresSession): PostgresSession {
  if (isKind(value, PgTransaction)) return value
  throw new InvalidArgumentError(
    `withTransaction takes the transaction that \`db.transaction(async (tx) => …)\` gives; got ${described(value)}.`,
  )
}
