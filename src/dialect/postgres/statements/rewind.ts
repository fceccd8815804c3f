import { sql } from 'drizzle-orm'
import { bigint, text } from '../../bind.ts'
import { itsRow, itsTurns, type Statement } from './statement.ts'

/**
 * The largest position there may be. Bound on one side only, a range is taken for a third of the conversation by a planner
 * that does not know its values, which may then read all of it; on both sides, for 0.5 %.
 */
const ALL = sql.raw('9223372036854775807')

/** The row as this statement's snapshot shows it, and the condition that it is still so once its lock is held. */
const seen = sql`
  select last_position, turn_count, total_tokens, encoding, framing from backscroll_conversations where ${itsRow}`
const unchanged = sql`
  c.last_position = seen.last_position and c.turn_count = seen.turn_count
  and c.total_tokens = seen.total_tokens and c.encoding = seen.encoding and c.framing = seen.framing`

/**
 * One statement. A turn that was appended while this one waited for the row's lock is not in its snapshot and would
 * survive the delete: so it compares the locked row with its snapshot, and does nothing (`done` is false) when they
 * differ. The caller then runs it again.
 */
export const rewind: Statement = {
  steps: {
    seen,
    newest: sql`
      select position, cumulative_tokens, token_count - closing_token_count as saving from backscroll_turns
      where ${itsTurns} and position <= ${bigint('to')}
      order by position desc limit 1`,
    dropping: sql`
      select count(*) as turn_count from backscroll_turns where ${itsTurns} and position > ${bigint('to')} and position <= ${ALL}`,
    head: sql`
      update backscroll_conversations as c set
        newest_position = coalesce((select position from newest), 0),
        turn_count = c.turn_count - (select turn_count from dropping),
        total_tokens = coalesce((select cumulative_tokens from newest), 0),
        newest_saving = coalesce((select saving from newest), 0),
        updated_at = now()
      from seen
      where c.user_id = ${text('userId')} and c.id = ${text('conversationId')} and ${unchanged}
        and c.newest_position > ${bigint('to')}
      returning c.id`,
    dropped: sql`
      delete from backscroll_turns as t using head
      where t.user_id = ${text('userId')} and t.conversation_id = ${text('conversationId')}
        and t.position > ${bigint('to')} and t.position <= ${ALL}
      returning t.position`,
    forgotten: sql`
      delete from backscroll_operations
      where ${itsTurns} and position > ${bigint('to')} and position <= ${ALL}
        and (exists (select 1 from head) or (select turn_count from dropping) = 0)`,
  },
  fields: { dropped: sql`dropped`, done: sql`done` },
  from: sql`(
    select (select count(*) from dropped) as dropped,
           exists (select 1 from head) or (select turn_count from dropping) = 0 as done
  ) as answer`,
}
