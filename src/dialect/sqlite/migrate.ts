import { sql } from 'drizzle-orm'
import { readMigrations } from '../migrations.ts'
import type { SqliteSession } from './queries.ts'
import { migrations } from './schema.ts'

/** Whether every migration was applied. */
export function isMigrated(session: SqliteSession): boolean {
  const applied = new Set(appliedMigrations(session))
  return readMigrations('sqlite').every(({ name }) => applied.has(name))
}

/**
 * Applies the migrations that are missing, all or none. The write lock is taken first, so that of several processes
 * one migrates and the others, once they have the lock, find nothing to do.
 */
export function migrate(session: SqliteSession): void {
  session.transaction(
    (tx) => {
      const applied = new Set(appliedMigrations(tx))
      for (const { name, statements } of readMigrations('sqlite')) {
        if (applied.has(name)) continue
        for (const statement of statements) tx.run(sql.raw(statement))
        tx.insert(migrations).values({ name, appliedAt: new Date() }).run()
      }
    },
    { behavior: 'immediate' },
  )
}

/** The table that records migrations is made by the first of them. */
function appliedMigrations(session: SqliteSession): string[] {
  const known = session.all(
    sql`select 1 from sqlite_master where type = 'table' and name = 'backscroll_migrations'`,
  )
  return known.length === 0
    ? []
    : session
        .select()
        .from(migrations)
        .all()
        .map(({ name }) => name)
}
