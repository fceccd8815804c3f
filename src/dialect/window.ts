import { sql } from 'drizzle-orm'
import { bigint } from './bind.ts'
import { page, turnRows, TURN_COLUMNS } from './page.ts'

const maxTokens = bigint('maxTokens')
const step = bigint('step')

/**
 * Where the window is cut: on the running total, the first multiple of `step` at which what lies after it fits
 * `maxTokens`, the newest turn counted as standing last. A step of 1 cuts exactly. Whole-number division: both
 * databases round towards zero, and a cut of zero or below keeps everything.
 */
const cut = sql`(total_tokens - newest_saving - ${maxTokens} + ${step} - 1) / ${step} * ${step}`

/** Tokens from a turn's start to the conversation's end, its own included: the window function that decides. */
// Ordered by the running total and not by position, though both give the same order: only so is the index that bounds
// the scan also the one that orders it, and the planner has no other plan to flip to. `rows`, because the default
// (`range`) would have to look for ties.
const running = sql.raw(
  'sum(token_count) over (order by cumulative_tokens desc, position desc rows unbounded preceding)',
)

/**
 * The conversation's row and the newest whole turns that fit: one statement. Bind `userId`, `conversationId`,
 * `maxTokens` (0 or more) and `step` (1 or more).
 *
 * `cumulative_tokens > cut` bounds the scan to the rows that are returned and at most one more; `running` decides.
 * The bound from above is always true. It is there for Postgres' planner, which cannot know the cut: it takes a range
 * that is bounded on one side for a third of the conversation, and may then read all of it; on both sides, for 0.5 %.
 *
 * The newest turn stays whenever it fits by itself, also when a step puts the cut inside it.
 */
export const windowPage = page(sql`
  select ${TURN_COLUMNS}
  from (
    select ${TURN_COLUMNS}, ${running} as running
    ${turnRows}
      and cumulative_tokens > (select case when ${cut} < total_tokens then ${cut} else total_tokens - 1 end from head)
      and cumulative_tokens <= (select total_tokens from head)
  ) as newest
  where running <= (select total_tokens - (${cut}) from head)
     or (running = token_count and running <= (select ${maxTokens} + newest_saving from head))
`)
