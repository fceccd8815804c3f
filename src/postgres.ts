import { checkDatabase } from './dialect/postgres/host.ts'
import { PostgresDialect } from './dialect/postgres/index.ts'
import type { PostgresSession } from './dialect/postgres/session.ts'
import { policies, type PolicyOptions } from './dialect/postgres/row-level-security/policies.ts'
import { checkFlag, checkMigrateOptions, checkOptions } from './store/arguments.ts'
import { ConversationStore } from './store/conversation-store.ts'
import type { StoreOptions } from './store/options.ts'

export { conversations, migrations, operations, schema, turns } from './dialect/postgres/schema.ts'
export type { PostgresSession } from './dialect/postgres/session.ts'
export type { PolicyOptions } from './dialect/postgres/row-level-security/policies.ts'
export type { ConversationStore } from './store/conversation-store.ts'

/** What a store on a host's Postgres may be given. */
export interface PostgresStoreOptions extends StoreOptions {
  /**
   * True has the database itself keep users apart, by the policies that `rowLevelSecurityPolicies()` writes. Each call
   * then names its user to the database, and the role must be none that can go round the policies: the first call checks
   * that. Default: false.
   */
  readonly rowLevelSecurity?: boolean | undefined
}

/**
 * A store on the host's own drizzle database (`drizzle-orm/postgres-js`). Its tables sit beside the host's, in the
 * first schema of its search path: make them once with `await store.migrate()`. The host's client is left as it is;
 * closing the store does not end it.
 */
export function postgresStore(
  db: PostgresSession,
  options?: PostgresStoreOptions,
): ConversationStore<PostgresSession> {
  const { rowLevelSecurity, ...others } = checkOptions('postgresStore', options)
  const isWalled = checkFlag('rowLevelSecurity', rowLevelSecurity ?? false)
  const session = checkDatabase(db, { rowLevelSecurity: isWalled })
  return new ConversationStore(new PostgresDialect(session, { rowLevelSecurity: isWalled }), others)
}

/**
 * The statements by which Postgres keeps users apart, to be run by the owner of backscroll's tables; `store.migrate({
 * rowLevelSecurity })` runs them too. Run again, they change nothing.
 *
 * @throws {InvalidIdError} for a role whose name Postgres could not have.
 */
export function rowLevelSecurityPolicies(options: PolicyOptions = {}): string {
  checkMigrateOptions({ rowLevelSecurity: options })
  return policies(options)
}
