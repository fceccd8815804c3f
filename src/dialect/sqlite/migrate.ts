import { sql } from 'drizzle-orm'
import { readMigrations } from '../migrations.ts'
import type { SqliteSession } from './session.ts'
import { migrations } from './schema.ts'

/** Whether every migration was applied, or the tables are kept by somebody else. */
export function isMigrated(session: SqliteSession): boolean {
  const applied = appliedMigrations(session)
  if (isKeptByHost(applied)) return true
  return readMigrations('sqlite').every(({ name }) => applied?.has(name))
}

/**
 * Applies the migrations that are missing, all or none. The write lock is taken first, so that of several processes
 * one migrates and the others, once they have the lock, find nothing to do. Does nothing where a host's own drizzle-kit
 * keeps the tables.
 */
export function migrate(session: SqliteSession): void {
  session.transaction(
    (tx) => {
      const applied = appliedMigrations(tx)
      if (isKeptByHost(applied)) return
      for (const { name, statements } of readMigrations('sqlite')) {
        if (applied?.has(name)) continue
        for (const statement of statements) tx.run(sql.raw(statement))
        tx.insert(migrations).values({ name, appliedAt: new Date() }).run()
      }
    },
    { behavior: 'immediate' },
  )
}

/** Undefined before the first of them, which makes the table that records them. */
function appliedMigrations(session: SqliteSession): ReadonlySet<string> | undefined {
  const known = session.all(
    sql`select 1 from sqlite_master where type = 'table' and name = 'backscroll_migrations'`,
  )
  if (known.length === 0) return undefined
  const rows = session.select({ name: migrations.name }).from(migrations).all()
  return new Set(rows.map(({ name }) => name))
}

/** Who makes the tables here records so in the same transaction; a record that is there and empty was made by another. */
function isKeptByHost(applied: ReadonlySet<string> | undefined): boolean {
  return applied?.size === 0
}
