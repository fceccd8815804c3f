import { sql } from 'drizzle-orm'
import { bigint, int, text } from '../../bind.ts'
import { turnsByKey } from '../../page.ts'
import { itsRow, type Statement } from './statement.ts'

/**
 * One statement, so that it needs no transaction: it hands out the position under the lock of the conversation's row,
 * adds to its totals and inserts the turn. It gives no row, and changes nothing, when the idempotency key has been used,
 * or when the conversation has another counting rule or newest position. Who wants to know which, reads.
 *
 * A conversation that is erased while this waits for its row is begun anew here; a caller who expected turns in it must
 * not get that, so the turn's position is then null, which undoes the statement whole. Run again, it is refused.
 *
 * Two calls with one new key at once: the later one waits for the row, then breaks the unique key and is undone whole;
 * run again, it finds that the key has been used.
 */
export const append: Statement = {
  steps: {
    head: sql`
      insert into backscroll_conversations as c (
        user_id, id, encoding, framing, last_position, newest_position, turn_count, total_tokens, newest_saving,
        created_at, updated_at
      )
      select ${text('userId')}, ${text('conversationId')}, ${text('encoding')}, ${text('framing')}, 1, 1, 1,
             ${int('tokenCount')}, ${int('tokenCount')} - ${int('closingTokenCount')}, now(), now()
      where (select position ${turnsByKey} limit 1) is null
        and (
          coalesce(${bigint('expectedPosition')}, 0) = 0
          or exists (select 1 from backscroll_conversations where ${itsRow})
        )
      on conflict (user_id, id) do update set
        last_position = c.last_position + 1,
        newest_position = c.last_position + 1,
        turn_count = c.turn_count + 1,
        total_tokens = c.total_tokens + excluded.total_tokens,
        newest_saving = excluded.newest_saving,
        updated_at = excluded.updated_at
      where c.encoding = excluded.encoding
        and c.framing = excluded.framing
        and c.newest_position = coalesce(${bigint('expectedPosition')}, c.newest_position)
      returning last_position, turn_count, total_tokens`,
    appended: sql`
      insert into backscroll_turns as t (
        user_id, conversation_id, position, token_count, closing_token_count, cumulative_tokens,
        messages, idempotency_key, created_at, metadata
      )
      select ${text('userId')}, ${text('conversationId')},
             case when turn_count > 1 or coalesce(${bigint('expectedPosition')}, 0) = 0 then last_position end,
             ${int('tokenCount')},
             ${int('closingTokenCount')}, total_tokens, ${text('messages')}, ${text('idempotencyKey')}, now(),
             ${text('metadata')}
      from head
      returning position, cumulative_tokens, created_at`,
  },
  // The rest of the turn is what was given.
  fields: { position: sql`position`, cumulativeTokens: sql`cumulative_tokens`, createdAt: sql`created_at` },
  from: sql`appended`,
}
