import type { BaseSQLiteDatabase } from 'drizzle-orm/sqlite-core'

/** A drizzle database on better-sqlite3, or a transaction of one. */
export type SqliteSession = BaseSQLiteDatabase<'sync', { readonly changes: number }, Record<string, unknown>>
