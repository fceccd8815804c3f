import postgres from 'postgres'
import { framingName, toFraming } from '../../src/tokens/framing.ts'
import type { CountedTurn } from '../harness/turns.ts'
import type { Appender } from './appenders.ts'

const FRAMING = framingName(toFraming('text'))

/** A transaction of two statements, by hand: the conversation's row hands out the position, and then the turn is inserted. */
export function upsertThenInsert(
  url: string,
  userId: string,
  { connections, named }: { readonly connections: number; readonly named: boolean },
): Appender {
  const sql = postgres(url, { max: connections, prepare: named })
  return {
    append(conversationId, { tokenCount, closingTokenCount, messages }: CountedTurn) {
      return sql.begin(async (tx) => {
        const [head] = await tx<{ last_position: string; total_tokens: string }[]>`
          insert into backscroll_conversations as c (
            user_id, id, encoding, framing, last_position, newest_position, turn_count, total_tokens, newest_saving,
            created_at, updated_at
          ) values (
            ${userId}, ${conversationId}, 'o200k_base', ${FRAMING}, 1, 1, 1, ${tokenCount},
            ${tokenCount - closingTokenCount}, now(), now()
          )
          on conflict (user_id, id) do update set
            last_position = c.last_position + 1,
            newest_position = c.last_position + 1,
            turn_count = c.turn_count + 1,
            total_tokens = c.total_tokens + excluded.total_tokens,
            newest_saving = excluded.newest_saving,
            updated_at = excluded.updated_at
          returning last_position, total_tokens`
        await tx`
          insert into backscroll_turns (
            user_id, conversation_id, position, token_count, closing_token_count, cumulative_tokens, messages, created_at
          ) values (
            ${userId}, ${conversationId}, ${head!.last_position}, ${tokenCount}, ${closingTokenCount},
            ${head!.total_tokens}, ${JSON.stringify(messages)}, now()
          )`
      })
    },
    close: () => sql.end(),
  }
}
