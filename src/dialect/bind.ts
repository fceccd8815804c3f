import { sql, type SQL } from 'drizzle-orm'

// Cast, because Postgres would otherwise take a parameter of an expression for what it likes; and because SQLite, once
// `analyze` was run on a file, plans a statement anew for each value that it compares a column with: 8 times the cost of
// a short load. A value that is cast it does not look at.

/** A text, bound by name when the statement runs. */
export const text = (name: string): SQL => sql`cast(${sql.placeholder(name)} as text)`

/** A whole number of 32 bits, bound by name when the statement runs. */
export const int = (name: string): SQL => sql`cast(${sql.placeholder(name)} as integer)`

/** A whole number of 64 bits, bound by name when the statement runs. */
export const bigint = (name: string): SQL => sql`cast(${sql.placeholder(name)} as bigint)`
