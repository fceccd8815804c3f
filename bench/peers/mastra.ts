import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { MessageList, type MastraDBMessage } from '@mastra/core/agent'
import { LibSQLStore } from '@mastra/libsql'
import type { Memory } from '@mastra/memory'
import { PostgresStore } from '@mastra/pg'
import { fileBytes } from './file-bytes.ts'
import type { PeerMessage, PeerTurn, Place } from './peer.ts'
import { openPool, tableBytes } from './postgres-pool.ts'

/** Whose all threads are. */
export const RESOURCE = 'bench'

/** Where Mastra keeps its threads. */
export interface MastraStore {
  readonly storage: PostgresStore | LibSQLStore
  bytes(): Promise<number>
  close(): Promise<void>
}

/** Which of the two databases. */
export type MastraDatabase = 'Postgres' | 'libSQL'

/** What is to be known of a database to compare an append on it. */
export const DURABILITY: Record<MastraDatabase, string> = {
  Postgres: '',
  libSQL: '; synchronous = NORMAL, as Mastra sets it: no append waits for the disk',
}

/** Opens a store. Peers do not share one: each has a schema or a file that is called after it. */
export async function openMastraStore(
  database: MastraDatabase,
  { postgresUrl, folder }: Place,
  name: string,
): Promise<MastraStore> {
  const store =
    database === 'Postgres' ? onPostgres(postgresUrl, name) : onLibSql(join(folder, `${name}.db`), name)
  await store.storage.init()
  return store
}

function onPostgres(postgresUrl: string, schemaName: string): MastraStore {
  const pool = openPool(postgresUrl)
  return {
    storage: new PostgresStore({ id: schemaName, pool, schemaName }),
    bytes: () => tableBytes(pool, [`${schemaName}.mastra_threads`, `${schemaName}.mastra_messages`]),
    close: () => pool.end(),
  }
}

function onLibSql(path: string, id: string): MastraStore {
  const storage = new LibSQLStore({ id, url: `file:${path}` })
  return {
    storage,
    bytes: async () => fileBytes(path),
    close: () => storage.close(),
  }
}

/** Messages of one call of saveMessages: its time grows with their square, 20,000 of them take minutes. */
const SAVED_AT_ONCE = 100

/** Stores turns in a thread, which is made when it is not there. */
export async function saveTurns(memory: Memory, threadId: string, turns: readonly PeerTurn[]): Promise<void> {
  const known = await memory.getThreadById({ threadId })
  if (known === null) await memory.createThread({ threadId, resourceId: RESOURCE })
  const messages = turns.flatMap((turn) => toMastra(threadId, turn))
  const now = Date.now()
  messages.forEach((message, at) => {
    // Threads are ordered by time: a millisecond apart, the newest now.
    message.createdAt = new Date(now - (messages.length - 1 - at))
  })
  for (let start = 0; start < messages.length; start += SAVED_AT_ONCE) {
    await memory.saveMessages({ messages: messages.slice(start, start + SAVED_AT_ONCE) })
  }
}

/** A turn in the form that an agent stores it in. */
function toMastra(threadId: string, [question, answer]: PeerTurn): MastraDBMessage[] {
  const list = new MessageList({ threadId, resourceId: RESOURCE, generateMessageId: () => randomUUID() })
  list.add({ role: 'user', content: question.content }, 'input')
  list.add({ role: 'assistant', content: answer.content }, 'response')
  return list.get.all.db()
}

/** A message of a thread. */
export function fromMastra({ role, content }: MastraDBMessage): PeerMessage {
  const texts = content.parts.map((part) => (part.type === 'text' ? part.text : ''))
  return { role: role === 'user' ? 'user' : 'assistant', content: texts.join('') }
}

/** A window in Mastra's form, for its counters. */
export function asMastra(window: readonly PeerMessage[]): MastraDBMessage[] {
  return window.map(({ role, content }, at) => {
    const parts = [{ type: 'text' as const, text: content }]
    return { id: String(at), role, createdAt: new Date(0), content: { format: 2, parts } }
  })
}
