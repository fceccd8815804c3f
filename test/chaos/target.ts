import { randomBytes } from 'node:crypto'
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { openStore, type ConversationStore } from '../../src/index.ts'
import { postgresStore } from '../../src/postgres.ts'
import type { PostgresServer } from '../support/postgres-server.ts'

/** A new database on a scenario's server. It goes with the server. */
export interface Target {
  readonly name: 'postgres'
  readonly url: string
}

/** Whose store a scenario uses: one that backscroll opened, or one on the drizzle database of a host. */
export type Through = 'openStore' | 'host'

/** A store, and how to close all of it. */
export interface OpenedStore {
  readonly store: ConversationStore
  close(): Promise<void>
}

export async function newTarget(server: PostgresServer): Promise<Target> {
  const url = new URL(server.url)
  const admin = postgres(url.href, { max: 1, onnotice: () => {} })
  const name = `backscroll_chaos_${randomBytes(6).toString('hex')}`
  await admin.unsafe(`create database ${name}`)
  await admin.end()
  url.pathname = `/${name}`
  return { name: 'postgres', url: url.href }
}

/** Connections of a store, fewer than there are writers: some wait in the pool's queue when a fault strikes. */
const CONNECTIONS = 10

export async function openOn(
  { url }: Pick<Target, 'url'>,
  { through = 'openStore', deadlineMs }: { through?: Through | undefined; deadlineMs: number },
): Promise<OpenedStore> {
  if (through === 'openStore') {
    const store = await openStore(url, { maxConnections: CONNECTIONS, deadlineMs })
    return { store, close: () => store.close() }
  }
  // As docs tell a host to open its client: the driver's defaults keep calls waiting after a connection has died.
  const client = postgres(url, {
    max: CONNECTIONS,
    fetch_types: false,
    prepare: false,
    connect_timeout: 5,
    backoff: () => 0,
    onnotice: () => {},
  })
  const store = postgresStore(drizzle({ client }), { deadlineMs })
  await store.migrate()
  return { store, close: () => client.end({ timeout: 5 }) }
}
