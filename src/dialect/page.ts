import { sql, type SQL } from 'drizzle-orm'
import type { Head, Page, TurnRow } from './dialect.ts'

const userId = sql.placeholder('userId')
const conversationId = sql.placeholder('conversationId')

const HEAD_COLUMNS = sql.raw(
  'encoding, framing, last_position, newest_position, turn_count, total_tokens, newest_saving',
)

/** What a page tells of a turn, in this order. */
export const TURN_COLUMNS = sql.raw(
  'position, token_count, cumulative_tokens, messages, created_at, metadata',
)

/** The turns of the conversation that `userId` and `conversationId` are bound to. */
export const turnRows = sql`from backscroll_turns where user_id = ${userId} and conversation_id = ${conversationId}`

/**
 * One answer that holds the conversation's row first and then some of its turns, so that a single statement, and so a
 * single snapshot, tells both. `turns` selects {@link TURN_COLUMNS}; it may read the row again as `head`.
 *
 * A union rather than a join: a join repeats the row beside every turn, and SQLite then stores the whole answer
 * before it returns it (1.4 times slower at 1,600 turns).
 */
export function page(turns: SQL): SQL {
  return sql`(
    with head as (
      select ${HEAD_COLUMNS}, created_at from backscroll_conversations where user_id = ${userId} and id = ${conversationId}
    )
    select ${HEAD_COLUMNS}, null as position, null as token_count, null as cumulative_tokens,
           null as messages, created_at, null as metadata
    from head
    union all
    select null, null, null, null, null, null, null, ${TURN_COLUMNS}
    from (${turns}) as picked
  ) as page`
}

const inRange = sql`${turnRows}
      and position > cast(${sql.placeholder('after')} as bigint)
      and position < cast(${sql.placeholder('before')} as bigint)`

/** The newest turns between `after` and `before`, at most `limit`. */
export const newestPage = page(
  sql`select ${TURN_COLUMNS} ${inRange} order by position desc limit ${sql.placeholder('limit')}`,
)

/** The oldest turns between `after` and `before`, at most `limit`. */
export const oldestPage = page(
  sql`select ${TURN_COLUMNS} ${inRange} order by position limit ${sql.placeholder('limit')}`,
)

/** The fields of a turn for drizzle's select, in the order in which {@link toTurn} reads them. */
export const TURN_FIELDS = {
  position: sql`position`,
  tokenCount: sql`token_count`,
  cumulativeTokens: sql`cumulative_tokens`,
  messages: sql`messages`,
  createdAt: sql`created_at`,
  metadata: sql`metadata`,
}

/** The fields of a page, in the order in which {@link toPage} reads them. */
export const PAGE_FIELDS = {
  encoding: sql`encoding`,
  framing: sql`framing`,
  lastPosition: sql`last_position`,
  newestPosition: sql`newest_position`,
  turnCount: sql`turn_count`,
  totalTokens: sql`total_tokens`,
  newestSaving: sql`newest_saving`,
  ...TURN_FIELDS,
}

/**
 * Turns a page's rows, as the driver gave them, into a page. The turns come out by rising position whatever order the
 * database gave them in. `toDate` reads the driver's form of a time.
 */
export function toPage(rows: readonly (readonly unknown[])[], toDate: (value: unknown) => Date): Page {
  let head: Head | undefined
  const turns: TurnRow[] = []
  for (const row of rows) {
    if (row[POSITION] === null) head = toHead(row, toDate)
    else turns.push(toTurn(row.slice(POSITION), toDate))
  }
  turns.sort((one, other) => one.position - other.position)
  return { head, turns }
}

/** Where a turn's columns begin, and where both kinds of rows have their time. */
const POSITION = Object.keys(PAGE_FIELDS).indexOf('position')
const CREATED_AT = Object.keys(PAGE_FIELDS).indexOf('createdAt')

// Number(…) because postgres.js gives a bigint as a string. None of these can reach 2^53: a turn adds far less than 2^31.
function toHead(row: readonly unknown[], toDate: (value: unknown) => Date): Head {
  const [encoding, framing, lastPosition, newestPosition, turnCount, totalTokens, newestSaving] = row
  return {
    encoding: encoding as string,
    framing: framing as string,
    lastPosition: Number(lastPosition),
    newestPosition: Number(newestPosition),
    turnCount: Number(turnCount),
    totalTokens: Number(totalTokens),
    newestSaving: Number(newestSaving),
    createdAt: toDate(row[CREATED_AT]),
  }
}

/** Reads a turn from its {@link TURN_COLUMNS}. */
export function toTurn(row: readonly unknown[], toDate: (value: unknown) => Date): TurnRow {
  const [position, tokenCount, cumulativeTokens, messages, createdAt, metadata] = row
  return {
    position: Number(position),
    tokenCount: Number(tokenCount),
    cumulativeTokens: Number(cumulativeTokens),
    messages: messages as string,
    createdAt: toDate(createdAt),
    metadata: metadata as string | null,
  }
}
