import { openStore } from 'backscroll'
import { postgresFloor } from '../floors/postgres.ts'
import type { CountedTurn } from '../harness/turns.ts'
import { upsertThenInsert } from './upsert-then-insert.ts'

/** What appends turns to the conversations of one user. */
export interface Appender {
  append(conversationId: string, turn: CountedTurn): unknown
  close(): unknown
}

/** How each of them gets to the server. */
export interface AppenderOptions {
  readonly connections: number
  /** Whether statements are prepared under names. */
  readonly named: boolean
}

/** How many turns each conversation is given before. */
export const TURNS_BEFORE = 1

/** What is compared, by name. Each has a user of its own, called the same. */
export const APPENDERS = {
  backscroll: openOurs,
  'raw insert': openRaw,
  'upsert, then insert': async (url: string, userId: string, options: AppenderOptions) =>
    upsertThenInsert(url, userId, options),
} satisfies Record<string, (url: string, userId: string, options: AppenderOptions) => Promise<Appender>>

/** The name of one of them. */
export type AppenderName = keyof typeof APPENDERS

async function openOurs(
  url: string,
  userId: string,
  { connections, named }: AppenderOptions,
): Promise<Appender> {
  const store = await openStore(url, { maxConnections: connections, preparedStatements: named })
  return {
    append: (conversationId, { messages }) => store.conversation({ userId, conversationId }).append(messages),
    close: () => store.close(),
  }
}

/** The bare rows: their tokens are counted before, and nobody but this process hands out positions. */
async function openRaw(url: string, userId: string, options: AppenderOptions): Promise<Appender> {
  const floor = postgresFloor(url, userId, options)
  const last = new Map<string, number>()
  return {
    append(conversationId, turn) {
      const position = (last.get(conversationId) ?? TURNS_BEFORE) + 1
      last.set(conversationId, position)
      return floor.append(conversationId, position, turn)
    },
    close: () => floor.close(),
  }
}
