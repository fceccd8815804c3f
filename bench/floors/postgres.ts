import postgres from 'postgres'
import type { Message } from '../../src/index.ts'
import type { Floor, FloorTurn } from './floor.ts'

/** A row as postgres.js gives it: a bigint is a string. */
interface Row {
  readonly position: string
  readonly token_count: number
  readonly cumulative_tokens: string
  readonly messages: string
  readonly created_at: Date
  readonly metadata: string | null
}

/** The floor on postgres.js, with its own settings: named statements, which the server plans once. */
export function postgresFloor(url: string, userId: string, { connections = 1, named = true } = {}): Floor {
  const sql = postgres(url, { max: connections, prepare: named })
  return {
    async load(conversationId, first) {
      const rows = await sql<Row[]>`
        select position, token_count, cumulative_tokens, messages, created_at, metadata
        from backscroll_turns
        where user_id = ${userId} and conversation_id = ${conversationId} and position >= ${first}
        order by position`
      return rows.map(toTurn)
    },
    append(conversationId, position, { tokenCount, closingTokenCount, messages }) {
      return sql`
        insert into backscroll_turns (
          user_id, conversation_id, position, token_count, closing_token_count, cumulative_tokens, messages, created_at
        ) values (
          ${userId}, ${conversationId}, ${position}, ${tokenCount}, ${closingTokenCount}, ${position * tokenCount},
          ${JSON.stringify(messages)}, now()
        )`
    },
    close: () => sql.end(),
  }
}

function toTurn(row: Row): FloorTurn {
  return {
    position: Number(row.position),
    tokenCount: row.token_count,
    cumulativeTokens: Number(row.cumulative_tokens),
    messages: JSON.parse(row.messages) as Message[],
    createdAt: row.created_at,
    metadata: row.metadata === null ? null : JSON.parse(row.metadata),
  }
}
