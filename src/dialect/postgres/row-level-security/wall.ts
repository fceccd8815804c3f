import { sql } from 'drizzle-orm'
import { NotMigratedError, RowLevelSecurityError } from '../../../errors.ts'
import { isMigrated } from '../migrate.ts'
import type { PostgresSession } from '../session.ts'
import { rowsOf } from '../statements/rows.ts'
import { grants, policies, POLICY, TABLES, USER_SETTING, type PolicyOptions } from './policies.ts'

/** Whether a policy is the one that `policies` makes: for every command and role, by the setting that names the user. */
const isOwn = `
  polname = '${POLICY}' and polpermissive and polcmd = '*' and polroles = '{0}'
  and pg_get_expr(polqual, polrelid) like '%${USER_SETTING}%' and pg_get_expr(polwithcheck, polrelid) like '%${USER_SETTING}%'`

/** The tables, what is in force on them, and whether this role is bound by it. No parameters: no pooler minds it. */
const wall = sql.raw(`
  select count(*) = ${TABLES.length} as exist,
         bool_and(relrowsecurity and relforcerowsecurity) as forced,
         bool_and(exists (select 1 from pg_catalog.pg_policy where polrelid = relation.oid and ${isOwn})) as own,
         bool_or(exists (
           select 1 from pg_catalog.pg_policy
           where polrelid = relation.oid and polname <> '${POLICY}' and polpermissive
         )) as opened,
         bool_or(exists (
           select 1 from pg_catalog.pg_roles as role
           where (role.oid = relation.relowner or role.rolbypassrls or role.rolsuper)
             and (pg_has_role(current_user, role.oid, 'member') or pg_has_role(session_user, role.oid, 'member'))
         )) as bypassed
  from pg_catalog.pg_class as relation
  where oid in (${TABLES.map((table) => `to_regclass('${table}')`).join(', ')})`)

type Answer = boolean | null
type Found = Readonly<Record<'exist' | 'forced' | 'own' | 'opened' | 'bypassed', Answer>>

/**
 * Checks that the policies are there, that nothing opens them, and that this role cannot go round them: it is neither
 * the tables' owner nor a superuser, may not bypass policies, and is no member of a role that may.
 */
export async function checkWall(session: PostgresSession): Promise<void> {
  const found = await look(session)
  if (!found.exist || !(await isMigrated(session))) throw new NotMigratedError(`${MISSING} ${BY_OWNER}`)
  if (!found.forced || !found.own) throw new RowLevelSecurityError(`${NO_POLICIES} ${BY_OWNER}`)
  if (found.opened) throw new RowLevelSecurityError(OPENED)
  if (found.bypassed) throw new RowLevelSecurityError(BYPASSED)
}

/**
 * Makes the policies where they are not in force, and grants the role its rights. Making them stops all other work on the
 * tables for a moment, and may meet it in a deadlock: so it is not done again by each deployment.
 */
export async function makeWall(session: PostgresSession, options: PolicyOptions): Promise<void> {
  const { forced, own } = await look(session)
  const missing = forced && own ? grants(options) : policies(options)
  if (missing) await session.execute(sql.raw(`${ONE_AT_A_TIME}${missing}`))
}

/** Two grants at once would fail. What was migrated can be read meanwhile. */
const ONE_AT_A_TIME = 'lock table backscroll_migrations in share row exclusive mode;\n'

async function look(session: PostgresSession): Promise<Found> {
  const [row] = rowsOf<object>(await session.execute(wall)) as [object]
  // By their order: a host's client may give the columns other names (`postgres.pascal`).
  const values = Object.values(row) as [Answer, Answer, Answer, Answer, Answer]
  const [exist, forced, own, opened, bypassed] = values
  return { exist, forced, own, opened, bypassed }
}

const BY_OWNER = 'As the owner of the tables, run: backscroll migrate --row-level-security --role ROLE.'
const MISSING =
  "backscroll's tables are missing or outdated here, or this role may not use their schema, or lacks it in its search_path."
const NO_POLICIES = "backscroll's tables have no row-level security, or it is not forced."
const OPENED =
  "Another permissive policy stands on backscroll's tables, which opens rows that theirs closes. Drop it, or make it restrictive."
const BYPASSED =
  "This role can go round row-level security: it owns backscroll's tables, is a superuser, has BYPASSRLS, or is a member " +
  'of such a role. Connect as a role that is none of these.'
