import Database from 'better-sqlite3'
import type { Message } from '../../src/index.ts'
import type { Floor, FloorTurn } from './floor.ts'

type Row = [number, number, number, string, number, string | null]

/** The floor on better-sqlite3. It writes as durably as the store does. */
export function sqliteFloor(url: string, userId: string): Floor {
  const database = new Database(url.slice('sqlite:'.length))
  database.pragma('synchronous = extra')
  const read = database
    .prepare<[string, string, number], Row>(
      `select position, token_count, cumulative_tokens, messages, created_at, metadata
       from backscroll_turns
       where user_id = ? and conversation_id = ? and position >= ?
       order by position`,
    )
    .raw()
  const write = database.prepare(
    `insert into backscroll_turns (user_id, conversation_id, position, token_count, closing_token_count, cumulative_tokens, messages, created_at)
     values (?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  return {
    load: (conversationId, first) => read.all(userId, conversationId, first).map(toTurn),
    append(conversationId, position, { tokenCount, closingTokenCount, messages }) {
      const total = position * tokenCount
      const counts = [tokenCount, closingTokenCount, total]
      write.run(userId, conversationId, position, ...counts, JSON.stringify(messages), Date.now() * 1000)
    },
    close: () => database.close(),
  }
}

function toTurn([position, tokenCount, cumulativeTokens, messages, createdAt, metadata]: Row): FloorTurn {
  return {
    position,
    tokenCount,
    cumulativeTokens,
    messages: JSON.parse(messages) as Message[],
    createdAt: new Date(createdAt / 1000),
    metadata: metadata === null ? null : JSON.parse(metadata),
  }
}
