import { sql, type SQL } from 'drizzle-orm'

// Cast, because Postgres would otherwise take a parameter of an expression for what it likes.

/** A text, bound by name when the statement runs. */
export const text = (name: string): SQL => sql`cast(${sql.placeholder(name)} as text)`

/** A whole number of 32 bits, bound by name when the statement runs. */
export const int = (name: string): SQL => sql`cast(${sql.placeholder(name)} as integer)`

/** A whole number of 64 bits, bound by name when the statement runs. */
export const bigint = (name: string): SQL => sql`cast(${sql.placeholder(name)} as bigint)`
