import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'

/** A drizzle database on Postgres, or a transaction of one. */
export type PostgresSession = PgDatabase<PgQueryResultHKT, Record<string, unknown>>
