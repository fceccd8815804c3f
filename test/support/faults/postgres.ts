import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { openStore, type ConversationStore } from '../../../src/index.ts'
import { postgresStore } from '../../../src/postgres.ts'
import { createPostgres } from '../databases.ts'
import { outcomeOf } from './methods.ts'

/** A database of backscroll's tables, and a store on it that no fault reaches. */
export interface Target {
  readonly name: 'postgres'
  readonly url: string
  /** Prepares conversations and reads them. */
  readonly direct: ConversationStore
  drop(): Promise<void>
}

/** A new database whose tables are made. */
export async function createTarget(): Promise<Target> {
  const created = await createPostgres()
  // It prepares hundreds of conversations, none of which has to survive a crash of the server.
  const client = postgres(created.url, { fetch_types: false, connection: { synchronous_commit: 'off' } })
  const direct = postgresStore(drizzle({ client }), { onWarning: () => {} })
  await direct.migrate()
  return {
    name: 'postgres',
    url: created.url,
    direct,
    drop: async () => {
      await client.end()
      await created.drop()
    },
  }
}

/** A store, and what closes it whatever has become of its connections. */
export interface Opened extends AsyncDisposable {
  readonly store: ConversationStore
}

/** A store of its own on one connection, so that a call after a fault gets the place of the one that was cut. */
export async function openOwn(url: string): Promise<Opened> {
  const store = await openStore(url, { migrate: false, maxConnections: 1 })
  return { store, [Symbol.asyncDispose]: () => store.close() }
}

/** A store on a host's drizzle database, also of one connection, which is there; it has looked at the settings. */
export async function openOnHost(url: string, deadlineMs?: number): Promise<Opened> {
  const client = postgres(url, { max: 1, fetch_types: false, backoff: () => 0, onnotice: () => {} })
  await client`select 1`
  const store = postgresStore(drizzle({ client }), { deadlineMs })
  // Before its first call a store looks at the database's settings; that is not the call that a fault is for.
  while ((await outcomeOf(store.listConversations('nobody'))).code === 'DATABASE_UNAVAILABLE');
  return { store, [Symbol.asyncDispose]: () => client.end({ timeout: 0 }) }
}
