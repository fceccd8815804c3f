import { sql } from 'drizzle-orm'
import { NotMigratedError, RowLevelSecurityError } from '../../../errors.ts'
import { isMigrated } from '../migrate.ts'
import type { PostgresSession } from '../queries.ts'
import { POLICY } from './policies.ts'

/** The tables, what is in force on them, and whether this role is bound by it. */
const wall = sql`
  select count(*) = 2 as exist,
         bool_and(relrowsecurity and relforcerowsecurity) as forced,
         bool_and(exists (
           select 1 from pg_catalog.pg_policy where polrelid = relation.oid and polname = ${POLICY}
         )) as own,
         bool_or(exists (
           select 1 from pg_catalog.pg_policy where polrelid = relation.oid and polname <> ${POLICY} and polpermissive
         )) as opened,
         bool_or(exists (
           select 1 from pg_catalog.pg_roles as role
           where (role.oid = relation.relowner or role.rolbypassrls or role.rolsuper)
             and (pg_has_role(current_user, role.oid, 'member') or pg_has_role(session_user, role.oid, 'member'))
         )) as bypassed
  from pg_catalog.pg_class as relation
  where oid in (to_regclass('backscroll_conversations'), to_regclass('backscroll_turns'))`

/**
 * Checks that the policies are there, that nothing opens them, and that this role cannot go round them: it is neither
 * the tables' owner nor a superuser, may not bypass policies, and is no member of a role that may.
 */
export async function checkWall(session: PostgresSession): Promise<void> {
  const [found] = (await session.execute(wall)) as unknown as readonly Record<string, boolean | null>[]
  if (!found?.['exist'] || !(await isMigrated(session))) throw new NotMigratedError(`${MISSING} ${BY_OWNER}`)
  if (!found['forced'] || !found['own']) throw new RowLevelSecurityError(`${NO_POLICIES} ${BY_OWNER}`)
  if (found['opened']) throw new RowLevelSecurityError(OPENED)
  if (found['bypassed']) throw new RowLevelSecurityError(BYPASSED)
}

const BY_OWNER = 'As the owner of the tables, run: backscroll migrate --row-level-security --role ROLE.'
const MISSING = "backscroll's tables are missing or outdated here."
const NO_POLICIES = "backscroll's tables have no row-level security, or it is not forced."
const OPENED =
  "Another permissive policy stands on backscroll's tables, which opens rows that theirs closes. Drop it, or make it restrictive."
const BYPASSED =
  "This role can go round row-level security: it owns backscroll's tables, is a superuser, has BYPASSRLS, or is a member " +
  'of such a role. Connect as a role that is none of these.'
