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

/** The largest whole number of 64 bits: nothing stored is above it. */
const ALL = sql.raw('9223372036854775807')

/** Tokens from a turn's start to the conversation's end, its own included: the window function that decides. */
// Ordered by the running total and not by position, though both give the same order: only so is the index that bounds
// the scan also the one that orders it, and the planner has no other plan to flip to. `rows`, because the default
// (`range`) would have to look for ties.
const running = sql.raw(
  'sum(token_count) over (order by cumulative_tokens desc, position desc rows unbounded preceding)',
)

/**
 * The position at which the window starts; null when not even the newest turn fits.
 *
 * `cumulative_tokens > cut` bounds the scan to the turns of the window and at most one more; `running` decides. The bound
 * from above is always true. It is there for Postgres' planner, which cannot know the cut: it takes a range that is
 * bounded on one side for a third of the conversation, and may then read all of it; on both sides, for 0.5 %.
 *
 * The newest turn stays whenever it fits by itself, also when a step puts the cut inside it.
 */
const start = sql`
  select min(position)
  from (
    select position, token_count, ${running} as running
    ${turnRows}
      and cumulative_tokens > (select case when ${cut} < total_tokens then ${cut} else total_tokens - 1 end from head)
      and cumulative_tokens <= ${ALL}
  ) as newest
  where running <= (select total_tokens - (${cut}) from head)
     or (running = token_count and running <= (select ${maxTokens} + newest_saving from head))`

/**
 * The conversation's row and the newest whole turns that fit: one statement. Bind `userId`, `conversationId`,
 * `maxTokens` (0 or more) and `step` (1 or more).
 *
 * The window function reads counts only. What it finds is where to start reading turns, so that their texts are read once
 * and pass through nothing on their way out. The bound from above is always true here as well, and for the same reason; and
 * the order is there so that of three indexes that begin alike Postgres takes the one that knows positions, also when its
 * statistics are old and tell it that the conversation has no turns.
 */
export const windowPage = page(sql`
  select ${TURN_COLUMNS}
  ${turnRows}
    and position >= (${start})
    and position <= ${ALL}
  order by position
`)
