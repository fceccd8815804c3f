import { readFileSync } from 'node:fs'

/** A migration as drizzle-kit wrote it: its file's name and its statements. */
export interface Migration {
  readonly name: string
  readonly statements: readonly string[]
}

interface Journal {
  readonly entries: readonly { readonly tag: string }[]
}

/** The migrations of one dialect in the order in which they apply, read from the folder that ships with the package. */
export function readMigrations(dialect: 'sqlite' | 'postgres'): Migration[] {
  const folder = new URL(`../../migrations/${dialect}/`, import.meta.url)
  const journal = JSON.parse(readFileSync(new URL('meta/_journal.json', folder), 'utf8')) as Journal
  return journal.entries.map(({ tag }) => ({
    name: tag,
    statements: readFileSync(new URL(`${tag}.sql`, folder), 'utf8').split('--> statement-breakpoint'),
  }))
}
