import { sql } from 'drizzle-orm'
import type { ConversationKey } from '../../dialect.ts'
import type { ChangedTurn, Rewrite } from '../../rewrite.ts'
import { bigint, int, text } from '../../bind.ts'
import { operationRow } from '../../page.ts'
import { itsTurns, newestAsSeen, type Statement } from './statement.ts'

/**
 * One statement. It locks the conversation's row first, as every write does, and then the newest turn: of both, what is
 * compared with what was seen is what the lock holds, not what the statement's snapshot shows. Where either is another,
 * or the operation was made, nothing is done.
 *
 * Two calls with one new operation at once: the later one waits for the row, and either finds it changed or breaks the
 * primary key of operations and is undone whole; run again, it finds the operation.
 */
export const rewrite: Statement = {
  steps: {
    seen: sql`
      select c.id from backscroll_conversations as c
      where c.user_id = ${text('userId')} and c.id = ${text('conversationId')}
        and c.encoding = ${text('encoding')} and c.framing = ${text('framing')}
        and c.last_position = ${bigint('seenLast')} and c.newest_position = ${bigint('seenNewest')}
        and c.turn_count = ${int('seenCount')} and c.total_tokens = ${bigint('seenTotal')}
        and date_trunc('milliseconds', c.created_at) = cast(${text('seenCreatedAt')} as timestamptz)
        and (select id ${operationRow} limit 1) is null
      for no key update`,
    newest: newestAsSeen,
    head: sql`
      update backscroll_conversations as c set
        last_position = ${bigint('lastPosition')},
        newest_position = ${bigint('newestPosition')},
        turn_count = ${int('turnCount')},
        total_tokens = ${bigint('totalTokens')},
        newest_saving = coalesce(${int('newestSaving')}, (
          select token_count - closing_token_count from backscroll_turns
          where ${itsTurns} and position = ${bigint('keep')}
        )),
        updated_at = now()
      from newest
      where c.user_id = ${text('userId')} and c.id = ${text('conversationId')}
      returning c.id`,
    dropped: sql`
      delete from backscroll_turns as t using head
      where t.user_id = ${text('userId')} and t.conversation_id = ${text('conversationId')}
        and t.position > ${bigint('keep')} and t.position <= ${bigint('seenNewest')}`,
    changed: sql`
      update backscroll_turns as t set
        messages = c.messages,
        token_count = c.token_count,
        closing_token_count = c.closing_token_count,
        cumulative_tokens = c.cumulative_tokens
      from head,
           json_to_recordset(cast(${text('changed')} as json)) as c (
             position bigint, token_count integer, closing_token_count integer, cumulative_tokens bigint, messages text
           )
      where t.user_id = ${text('userId')} and t.conversation_id = ${text('conversationId')}
        and t.position >= ${bigint('firstChanged')} and t.position <= ${bigint('keep')}
        and t.position = c.position`,
    added: sql`
      insert into backscroll_turns as t (
        user_id, conversation_id, position, token_count, closing_token_count, cumulative_tokens, messages, created_at,
        metadata
      )
      select ${text('userId')}, ${text('conversationId')}, a.position, a.token_count, a.closing_token_count,
             a.cumulative_tokens, a.messages, now(), a.metadata
      from head,
           json_to_recordset(cast(${text('added')} as json)) as a (
             position bigint, token_count integer, closing_token_count integer, cumulative_tokens bigint,
             messages text, metadata text
           )`,
    made: sql`
      insert into backscroll_operations as o (user_id, conversation_id, id, position, fingerprint, created_at)
      select ${text('userId')}, ${text('conversationId')}, ${text('operationId')},
             greatest(1, ${bigint('newestPosition')}), ${text('fingerprint')}, now()
      from head
      where ${text('operationId')} is not null`,
  },
  fields: { done: sql`done` },
  from: sql`(select exists (select 1 from head) as done) as answer`,
}

/** The values that the statement binds. */
export function toValues(key: ConversationKey, { seen, keep, changed, added, totals, operation }: Rewrite) {
  const { head } = seen
  return {
    ...key,
    encoding: head.encoding,
    framing: head.framing,
    seenLast: head.lastPosition,
    seenNewest: head.newestPosition,
    seenCount: head.turnCount,
    seenTotal: head.totalTokens,
    seenCreatedAt: head.createdAt.toISOString(),
    seenMessages: seen.messages,
    ...totals,
    keep,
    // A range, so that the planner need not know how many there are.
    firstChanged: changed[0]?.position ?? keep,
    changed: JSON.stringify(changed.map(columnsOf)),
    added: JSON.stringify(added.map((turn) => ({ ...columnsOf(turn), metadata: turn.metadata }))),
    operationId: operation?.id ?? null,
    fingerprint: operation?.fingerprint ?? null,
  }
}

function columnsOf(turn: ChangedTurn) {
  return {
    position: turn.position,
    token_count: turn.tokenCount,
    closing_token_count: turn.closingTokenCount,
    cumulative_tokens: turn.cumulativeTokens,
    messages: turn.messages,
  }
}
