import { sql } from 'drizzle-orm'
import { USER_SETTING } from './policies.ts'
import type { PostgresSession } from '../session.ts'
import { rowsOf } from '../statements/rows.ts'

/**
 * Runs a statement as one user's, for row-level security: the user is named and the statement run in one text, which is
 * one transaction and one round trip. The setting ends with the transaction, so that nobody else who gets the connection
 * from a pooler has it; in a transaction of the host it stays until that ends.
 *
 * Such a text takes no parameters, so each value stands in it as a literal made of the digits of its bytes: whatever a
 * user wrote, it cannot be read as SQL. (docs/decisions/0010)
 */
export async function runAsUser(
  session: PostgresSession,
  userId: string,
  statement: string,
  params: readonly unknown[],
): Promise<readonly (readonly unknown[])[]> {
  const bound = statement.replace(/\$(\d+)/g, (_, number) => literal(params[Number(number) - 1]))
  const text = `select set_config('${USER_SETTING}', ${literal(userId)}, true);\n${bound}`
  const [, rows] = (await session.execute(sql.raw(text))) as unknown as readonly [unknown, unknown]
  return rowsOf<object>(rows).map((row) => Object.values(row))
}

function literal(value: unknown): string {
  if (value === null) return 'null'
  if (Number.isSafeInteger(value)) return `(${String(value)})`
  if (typeof value !== 'string') throw new TypeError(`A statement binds text, whole numbers and null only.`)
  // The function's result has the collation C, by which a condition could not be looked up in an index.
  return `(convert_from(decode('${Buffer.from(value).toString('hex')}', 'hex'), 'UTF8') collate "default")`
}
