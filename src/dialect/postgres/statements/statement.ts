import { sql, type SQL } from 'drizzle-orm'
import { bigint, text } from '../../bind.ts'

/** A statement: a select, and the `steps` in its `with` clause. Data-modifying steps all run, whatever is selected. */
export interface Statement {
  readonly steps?: Readonly<Record<string, SQL>>
  readonly fields: Readonly<Record<string, SQL>>
  readonly from: SQL
}

/** Condition for the row of the conversation that `userId` and `conversationId` are bound to. */
export const itsRow = sql`user_id = ${text('userId')} and id = ${text('conversationId')}`

/** Condition for its turns. */
export const itsTurns = sql`user_id = ${text('userId')} and conversation_id = ${text('conversationId')}`

/**
 * What the step `seen` gives, if the conversation's newest turn, which grows and shrinks in its place, is still what was
 * seen: locked, so that it is compared as it is and not as the statement's snapshot shows it.
 */
export const newestAsSeen = sql`
  select id from seen where ${bigint('seenNewest')} = 0
  union all
  select id from (
    select seen.id from backscroll_turns as t, seen
    where t.user_id = ${text('userId')} and t.conversation_id = ${text('conversationId')}
      and t.position = ${bigint('seenNewest')} and t.messages = ${text('seenMessages')}
    for no key update of t
  ) as locked`
