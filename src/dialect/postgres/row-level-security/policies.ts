/** The policy's name, on each of the tables. */
export const POLICY = 'backscroll_own_rows'

/** The setting that names the user whose rows a transaction may see. Without it there are none. */
export const USER_SETTING = 'backscroll.user_id'

/** The tables that hold what users said. */
export const TABLES = ['backscroll_conversations', 'backscroll_turns', 'backscroll_operations'] as const

/**
 * What is true of a user's own rows. Null, and so true of none, without a user: once a transaction has named one, the
 * setting is not gone on its connection but empty.
 */
const OWN = `user_id = nullif(current_setting('${USER_SETTING}', true), '')`

/** Whose store is to be bound by the policies. */
export interface PolicyOptions {
  /** Is granted what a store needs. */
  readonly role?: string | undefined
}

/**
 * Statements that have the database keep users apart, to be run by the owner of the tables after they were made; run
 * again, they change nothing. They run in one transaction when they are sent as one text.
 *
 * `user_id` is compared as the statements of a store compare it, so the planner uses the same indexes.
 */
export function policies({ role }: PolicyOptions = {}): string {
  const statements = TABLES.flatMap((table) => [
    `alter table ${table} enable row level security`,
    // Else the policies do not bind the tables' owner.
    `alter table ${table} force row level security`,
    `drop policy if exists ${POLICY} on ${table}`,
    `create policy ${POLICY} on ${table} using (${OWN}) with check (${OWN})`,
  ])
  return `${statements.map((statement) => `${statement};\n`).join('')}${grants({ role })}`
}

/** Those of the statements that grant a role what a store needs; none without a role. */
export function grants({ role }: PolicyOptions): string {
  if (role === undefined) return ''
  return `grant select, insert, update, delete on ${TABLES.join(', ')} to ${quoted(role)};
grant select on backscroll_migrations to ${quoted(role)};\n`
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
