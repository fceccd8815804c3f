/** The policy's name, on each of the tables. */
export const POLICY = 'backscroll_own_rows'

/** The setting that names the user whose rows a transaction may see. Without it there are none: no user id is empty. */
export const USER_SETTING = 'backscroll.user_id'

const TABLES = ['backscroll_conversations', 'backscroll_turns']

/**
 * Statements that have the database keep users apart, to be run by the owner of the tables after they were made; run
 * again, they change nothing. They run in one transaction when they are sent as one text.
 *
 * `user_id` is compared as the statements of a store compare it, so the planner uses the same indexes.
 *
 * @param role is granted what a store needs, where it is given.
 */
export function policies({ role }: { readonly role?: string | undefined } = {}): string {
  const statements = TABLES.flatMap((table) => [
    `alter table ${table} enable row level security`,
    // Else the policies do not bind the tables' owner.
    `alter table ${table} force row level security`,
    `drop policy if exists ${POLICY} on ${table}`,
    `create policy ${POLICY} on ${table}
  using (user_id = current_setting('${USER_SETTING}', true))
  with check (user_id = current_setting('${USER_SETTING}', true))`,
  ])
  const grants =
    role === undefined
      ? []
      : [
          `grant select, insert, update, delete on ${TABLES.join(', ')} to ${quoted(role)}`,
          `grant select on backscroll_migrations to ${quoted(role)}`,
        ]
  return [...statements, ...grants].map((statement) => `${statement};\n`).join('')
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
