import { sql } from 'drizzle-orm'
import { RowLevelSecurityError } from '../../errors.ts'
import type { StoreWarning } from '../dialect.ts'
import type { PostgresSession } from './session.ts'
import { rowsOf } from './statements/rows.ts'
import { TABLES } from './row-level-security/policies.ts'

/** What is asked of the server, in this order: a host's client may give the columns other names (`postgres.pascal`). */
type Settings = readonly [
  commit: string,
  fsync: string,
  pid: number,
  walled: boolean,
  // Null on a server that does not know the setting.
  plans: string | null,
]

const SETTINGS = sql.raw(`
  select current_setting('synchronous_commit') as commit, current_setting('fsync') as fsync, pg_backend_pid() as pid,
         ${TABLES.map((table) => `coalesce(row_security_active(to_regclass('${table}')), false)`).join(' or ')} as walled,
         current_setting('plan_cache_mode', true) as plans`)

/** What is to be known of a database before the first call. */
export interface Examined {
  /** Settings under which what a store promises does not hold. */
  readonly warnings: StoreWarning[]
  /** Whether there is a pooler between here and the server, which may give each transaction another connection to it. */
  readonly isPooled: boolean
  /** Whether the server may plan a named statement at each call, and nobody has asked it to. */
  readonly plansAnew: boolean
}

/**
 * Looks at the server's settings, and for a pooler before it.
 *
 * @param isWalled whether the store names its users to row-level security.
 * @param isNamed whether its statements are kept under names even where there is a pooler.
 * @throws {RowLevelSecurityError} when it does not, and policies bind its role: it would see no rows at all, which looks
 * like conversations that nobody has begun.
 */
export async function examine(
  session: PostgresSession,
  { isWalled, isNamed }: { readonly isWalled: boolean; readonly isNamed: boolean },
): Promise<Examined> {
  const answer: unknown = await session.execute(SETTINGS)
  const [row] = rowsOf<object>(answer) as [object]
  const [commit, fsync, pid, walled, plans] = Object.values(row) as unknown as Settings
  if (walled && !isWalled) throw new RowLevelSecurityError(NOT_NAMED)
  const warnings: StoreWarning[] = []
  if (commit === 'off' || fsync === 'off') warnings.push(WEAK_DURABILITY)
  // A pooler hands out process ids of its own for cancelling; the server itself tells its true one both times.
  const { state } = answer as { readonly state?: { readonly pid: number } }
  const isPooled = state !== undefined && state.pid !== pid
  // What names its user is sent as one text, and so under no name.
  if (isPooled && !isWalled && isNamed) warnings.push(POOLED_STATEMENTS)
  return { warnings, isPooled, plansAnew: plans === 'auto' }
}

/** Whether the client of a host's session, where postgres.js is that, prepares statements under names. */
export function namesStatements(session: PostgresSession): boolean {
  const { $client } = session as { $client?: { options?: { prepare?: boolean } } }
  return $client?.options?.prepare === true
}

const NOT_NAMED =
  "Row-level security on backscroll's tables binds this role, and this store does not name its users to it. Open the store " +
  'with rowLevelSecurity: true, as a role that does not own the tables. Their owner only migrates: open it with migrate: ' +
  'false, and call `store.migrate()`.'

const WEAK_DURABILITY: StoreWarning = {
  code: 'WEAK_DURABILITY',
  message:
    'Postgres runs with synchronous_commit or fsync off: a crash of the server loses turns that were acknowledged. ' +
    'Set both to on for this database and role.',
}

const POOLED_STATEMENTS: StoreWarning = {
  code: 'POOLED_STATEMENTS',
  message:
    'There is a pooler between here and Postgres, and statements are prepared under names: in transaction mode they fail ' +
    'or hang, unless the pooler keeps track of them (PgBouncer from 1.21 on, with max_prepared_statements). Leave ' +
    'preparedStatements out, or open your own client with { prepare: false }.',
}
