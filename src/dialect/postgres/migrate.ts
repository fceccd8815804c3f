import { sql } from 'drizzle-orm'
import { readMigrations, type Migration } from '../migrations.ts'
import type { PostgresSession } from './session.ts'
import { withoutHoles } from './statements/rows.ts'
import { migrations } from './schema.ts'

/** Names the lock that migrating processes queue at. Any number does, as long as it stays the same. */
const LOCK = 8_236_071_145

/** Whether every migration was applied, or the tables are kept by somebody else. */
export async function isMigrated(session: PostgresSession): Promise<boolean> {
  const one = sql`(select 1) as one`
  const [table] = withoutHoles(
    await session
      .select({ exists: sql<boolean>`to_regclass('backscroll_migrations') is not null` })
      .from(one)
      .$withCache(false),
  )
  if (!table?.exists) return false
  const rows = await session.select({ name: migrations.name }).from(migrations).$withCache(false)
  const applied = new Set(withoutHoles(rows).map(({ name }) => name))
  // Who makes the tables here records so in the same statement; a record that is there and empty was made by another.
  if (applied.size === 0) return true
  return readMigrations('postgres').every(({ name }) => applied.has(name))
}

/**
 * Applies the migrations that are missing, all or none, in one statement: a block that takes a lock which ends with
 * its transaction, and looks inside the lock what there is to do: nothing, where a host's own drizzle-kit keeps the
 * tables. No transaction is opened from here: postgres.js can end the process when a connection dies inside one of its own.
 */
export async function migrate(session: PostgresSession): Promise<void> {
  await session.execute(sql.raw(migrationBlock(readMigrations('postgres'))))
}

function migrationBlock(all: readonly Migration[]): string {
  return `do $backscroll$ begin
perform pg_advisory_xact_lock(${LOCK});
if ${RECORDED} then
  if not exists (select 1 from backscroll_migrations) then return; end if;
end if;
${all.map(unlessApplied).join('\n')}
end $backscroll$`
}

/**
 * Whether the table is there that records migrations. Read from the catalog: to_regclass may answer from a cache that is
 * older than the wait for the lock.
 */
const RECORDED = `exists (
  select 1 from pg_catalog.pg_tables
  where tablename = 'backscroll_migrations' and schemaname = any (current_schemas(false))
)`

/** The table that records migrations is made by the first of them, so that one asks for the table. */
function unlessApplied({ name, statements }: Migration, index: number): string {
  const missing =
    index === 0
      ? `not ${RECORDED}`
      : `not exists (select 1 from backscroll_migrations where name = '${name}')`
  return `if ${missing} then
${statements.map((statement) => statement.trim().replace(/;?$/, ';')).join('\n')}
insert into backscroll_migrations (name, applied_at) values ('${name}', now());
end if;`
}
