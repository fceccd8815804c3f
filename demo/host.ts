import type { Message } from '../src/index.ts'

/** A host application that has a drizzle database of its own, and appends turns inside its own transactions. */
export interface Host {
  /** How many turns it appends in one transaction. */
  readonly batch: number
  /** Appends the turns in one transaction: all are stored, or none. */
  appendAll(turns: readonly Message[][]): Promise<void>
  close(): Promise<void>
}

interface Key {
  readonly userId: string
  readonly conversationId: string
}

/** The host's own connection to the database at the URL. */
export function openHost(url: string, key: Key): Promise<Host> {
  return url.startsWith('sqlite:') ? openSqlite(url.slice('sqlite:'.length), key) : openPostgres(url, key)
}

async function openSqlite(path: string, key: Key): Promise<Host> {
  const { default: Database } = await import('better-sqlite3')
  const { drizzle } = await import('drizzle-orm/better-sqlite3')
  const { sqliteStore } = await import('../src/sqlite.ts')
  const client = new Database(path)
  client.pragma('journal_mode = wal')
  // The driver's default for this journal can lose the newest commits in a power loss.
  client.pragma('synchronous = full')
  const db = drizzle({ client })
  const store = sqliteStore(db)
  return {
    batch: 1000,
    appendAll: async (turns) =>
      db.transaction(
        (tx) => {
          const conversation = store.withTransaction(tx).conversation(key)
          for (const messages of turns) conversation.appendSync(messages)
        },
        { behavior: 'immediate' },
      ),
    close: async () => void client.close(),
  }
}

async function openPostgres(url: string, key: Key): Promise<Host> {
  const { default: postgres } = await import('postgres')
  const { drizzle } = await import('drizzle-orm/postgres-js')
  const { postgresStore } = await import('../src/postgres.ts')
  const client = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} })
  const db = drizzle({ client })
  const store = postgresStore(db)
  return {
    // Large batches are slow, probably because each append leaves a version of the conversation's row that Postgres
    // cannot clear away before the commit: 2,700 turns a second by batches of 100, 860 by batches of 1,000.
    batch: 100,
    appendAll: async (turns) =>
      db.transaction(async (tx) => {
        const conversation = store.withTransaction(tx).conversation(key)
        // Sent without waiting for each answer.
        await Promise.all(turns.map((messages) => conversation.append(messages)))
      }),
    close: () => client.end({ timeout: 5 }),
  }
}
