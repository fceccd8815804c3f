import { sql } from 'drizzle-orm'
import { bigint, text } from '../bind.ts'
import type { Statement } from './statements/statement.ts'

/**
 * One statement; `texts` is JSON text of objects. The conversation's row is locked first, as by every other write: two
 * that lock turns in different orders would wait for each other.
 *
 * `first` and `last` say nothing that the join does not. They are there for the planner, which may else read the whole
 * conversation for each hundred turns of it (1.6 ms a turn at 40,000 turns that were never analyzed).
 */
const replaceTexts: Statement = {
  steps: {
    head: sql`
      select id from backscroll_conversations
      where user_id = ${text('userId')} and id = ${text('conversationId')}
      for no key update`,
    replaced: sql`
      update backscroll_turns as t set messages = given.messages, metadata = given.metadata
      from head,
           json_to_recordset(cast(${text('texts')} as json)) as given (
             position bigint, seen_messages text, seen_metadata text, messages text, metadata text
           )
      where t.user_id = ${text('userId')} and t.conversation_id = ${text('conversationId')}
        and t.position = given.position
        and t.position between ${bigint('first')} and ${bigint('last')}
        and t.messages = given.seen_messages
        and t.metadata is not distinct from given.seen_metadata
      returning t.position`,
  },
  fields: { replaced: sql`replaced` },
  from: sql`(select count(*) as replaced from replaced) as answer`,
}

/** Leaves `updated_at`: what the conversation says is the same. */
const replaceMetadata: Statement = {
  steps: {
    replaced: sql`
      update backscroll_conversations as c set metadata = ${text('metadata')}
      where c.user_id = ${text('userId')} and c.id = ${text('conversationId')} and c.metadata = ${text('seen')}
      returning c.id`,
  },
  fields: { done: sql`done` },
  from: sql`(select exists (select 1 from replaced) as done) as answer`,
}

/** The statements that replace stored texts where they still are what was read. */
export const TEXT_STATEMENTS = { replaceTexts, replaceMetadata }
