import Sqlite from 'better-sqlite3'
import { options, ready } from './ready.ts'

/** What a holder is told: a database file, and the statements after which it holds a lock of it. */
export interface HolderOptions {
  readonly path: string
  readonly statements: string
}

/** Holds a lock until the test lets it go. */
const { path, statements } = options<HolderOptions>()
const client = new Sqlite(path)
client.exec(statements)
await ready()
client.close()
