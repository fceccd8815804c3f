import { sql } from 'drizzle-orm'
import { bigint, int, text } from '../../bind.ts'
import { newestAsSeen, type Statement } from './statement.ts'

/** One statement; `counts` is JSON text of objects. Nothing is done when the turns are not those that were counted. */
export const replaceCounts: Statement = {
  steps: {
    seen: sql`
      select c.id from backscroll_conversations as c
      where c.user_id = ${text('userId')} and c.id = ${text('conversationId')}
        and c.last_position = ${bigint('lastPosition')} and c.turn_count = ${int('turnCount')}
        and date_trunc('milliseconds', c.created_at) = cast(${text('seenCreatedAt')} as timestamptz)
      for no key update`,
    newest: newestAsSeen,
    head: sql`
      update backscroll_conversations as c set
        encoding = ${text('encoding')},
        framing = ${text('framing')},
        newest_position = ${bigint('newestPosition')},
        turn_count = ${int('turns')},
        total_tokens = ${bigint('totalTokens')},
        newest_saving = ${int('newestSaving')}
      from newest
      where c.user_id = ${text('userId')} and c.id = ${text('conversationId')}
      returning c.id`,
    counted: sql`
      update backscroll_turns as t set
        token_count = counts.token_count,
        closing_token_count = counts.closing_token_count,
        cumulative_tokens = counts.cumulative_tokens
      from head,
           json_to_recordset(cast(${text('counts')} as json)) as counts (
             position bigint, token_count integer, closing_token_count integer, cumulative_tokens bigint
           )
      where t.user_id = ${text('userId')} and t.conversation_id = ${text('conversationId')}
        and t.position = counts.position
      returning t.position`,
  },
  fields: { done: sql`done` },
  from: sql`(select exists (select 1 from head) as done) as answer`,
}
