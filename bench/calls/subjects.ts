import { openStore, type Conversation, type ConversationStore, type OpenStoreOptions } from 'backscroll'
import { postgresStore } from 'backscroll/postgres'
import { sqliteStore } from 'backscroll/sqlite'
import Database from 'better-sqlite3'
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3'
import { drizzle as drizzlePostgres } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import type { Floor } from '../floors/floor.ts'
import type { CountedTurn } from '../harness/turns.ts'

/** One way to load and append, and how to leave it. */
export interface Subject {
  /** The newest turns that fit `limit`; the floor gives those from the position `first` on. */
  load(
    conversationId: string,
    limit: number,
    first: number,
  ): Promise<readonly { readonly position: number }[]>
  append(conversationId: string, turn: CountedTurn): Promise<unknown>
  close(): Promise<unknown>
}

/** A floor, which is told where a window starts. What stands after the last of so many turns, it knows by itself. */
export function floorSubject(floor: Floor, conversations: ReadonlyMap<number, string>): Subject {
  const positions = new Map([...conversations].map(([turns, conversationId]) => [conversationId, turns]))
  return {
    async load(conversationId, _limit, first) {
      return floor.load(conversationId, first)
    },
    async append(conversationId, turn) {
      const position = positions.get(conversationId)! + 1
      positions.set(conversationId, position)
      return floor.append(conversationId, position, turn)
    },
    async close() {
      return floor.close()
    },
  }
}

/** A store that opened its own connections, as most do. */
export async function storeSubject(
  url: string,
  userId: string,
  options: OpenStoreOptions = {},
): Promise<Subject> {
  return subjectOf(await openStore(url, { maxConnections: 1, ...options }), userId)
}

/** A store on a host's drizzle: every statement goes through it. */
export function hostSubject(url: string, userId: string): Subject {
  if (url.startsWith('sqlite:')) {
    const client = new Database(url.slice('sqlite:'.length))
    client.pragma('synchronous = extra')
    return subjectOf(sqliteStore(drizzleSqlite({ client })), userId, () => client.close())
  }
  const client = postgres(url, { max: 1 })
  return subjectOf(postgresStore(drizzlePostgres({ client })), userId, () => client.end())
}

function subjectOf(store: ConversationStore, userId: string, leave: () => unknown = () => {}): Subject {
  const opened = new Map<string, Conversation>()
  const conversation = (conversationId: string) => {
    const known = opened.get(conversationId) ?? store.conversation({ userId, conversationId })
    opened.set(conversationId, known)
    return known
  }
  return {
    async load(conversationId, maxTokens) {
      return (await conversation(conversationId).loadWindow({ maxTokens })).turns
    },
    append: (conversationId, { messages }) => conversation(conversationId).append(messages),
    async close() {
      await store.close()
      await leave()
    },
  }
}
