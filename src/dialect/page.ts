import { sql, type SQL } from 'drizzle-orm'
import { bigint, text } from './bind.ts'
import type { Head, Page, TurnRow } from './dialect.ts'

const userId = text('userId')
const conversationId = text('conversationId')

/** What a page tells of the conversation, framing last since it may hold spaces. Its metadata is not read. */
const HEAD_COLUMNS = [
  ...['last_position', 'newest_position', 'turn_count', 'total_tokens', 'newest_saving'],
  ...['encoding', 'framing'],
]

/** All of it in one text: with a column each, every turn's row would carry seven nulls, a sixth of a load's time on SQLite. */
const PACKED_HEAD = sql.raw(HEAD_COLUMNS.join(" || ' ' || "))

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
      select ${sql.raw(HEAD_COLUMNS.join(', '))}, created_at
      from backscroll_conversations
      where user_id = ${userId} and id = ${conversationId}
    )
    select ${PACKED_HEAD} as head, null as position, null as token_count, null as cumulative_tokens,
           null as messages, created_at, null as metadata
    from head
    union all
    select null, ${TURN_COLUMNS}
    from (${turns}) as picked
  ) as page`
}

const inRange = sql`${turnRows}
      and position > ${bigint('after')} and position < ${bigint('before')}`

/** The newest turns between `after` and `before`, at most `limit`. */
export const newestPage = page(
  sql`select ${TURN_COLUMNS} ${inRange} order by position desc limit ${sql.placeholder('limit')}`,
)

/** The oldest turns between `after` and `before`, at most `limit`. */
export const oldestPage = page(
  sql`select ${TURN_COLUMNS} ${inRange} order by position limit ${sql.placeholder('limit')}`,
)

/**
 * The turns, one at most, that were appended under `idempotencyKey`; none for null.
 *
 * Three indexes begin alike, and where Postgres takes a conversation for one turn, each is as good to it: it may then read
 * all of the conversation by one that does not know keys. An order decides for the one that does; and since a column
 * that equals a value has no order, the condition is a range.
 */
export const turnsByKey = sql`${turnRows}
      and idempotency_key >= ${text('idempotencyKey')} and idempotency_key <= ${text('idempotencyKey')}
    order by idempotency_key`

/** The turn that was appended under `idempotencyKey`. */
export const keyPage = page(sql`select ${TURN_COLUMNS} ${turnsByKey}`)

/** The operation that `operationId` is bound to; none for null. Looked up as {@link turnsByKey} are, for the same reason. */
export const operationRow = sql`
    from backscroll_operations
    where user_id = ${userId} and conversation_id = ${conversationId}
      and id >= ${text('operationId')} and id <= ${text('operationId')}
    order by id`

/** Its fingerprint. */
export const operation = sql`(select fingerprint ${operationRow}) as operation`

/** The fields of a page for drizzle's select, in the order in which {@link toPage} reads them. */
export const PAGE_FIELDS = {
  head: sql`head`,
  position: sql`position`,
  tokenCount: sql`token_count`,
  cumulativeTokens: sql`cumulative_tokens`,
  messages: sql`messages`,
  createdAt: sql`created_at`,
  metadata: sql`metadata`,
}

/**
 * Turns a page's rows, as the driver gave them, into a page. The turns come out by rising position whatever order the
 * database gave them in. `toDate` reads the driver's form of a time.
 */
export function toPage(rows: readonly (readonly unknown[])[], toDate: (value: unknown) => Date): Page {
  let head: Head | undefined
  const turns: TurnRow[] = []
  for (const row of rows) {
    const packed = row[0]
    const turn = toTurn(row, toDate)
    if (packed === null) turns.push(turn)
    else head = toHead(packed as string, turn.createdAt)
  }
  turns.sort((one, other) => one.position - other.position)
  return { head, turns }
}

function toHead(packed: string, createdAt: Date): Head {
  const [lastPosition, newestPosition, turnCount, totalTokens, newestSaving, encoding = '', ...framing] =
    packed.split(' ')
  return {
    encoding,
    framing: framing.join(' '),
    createdAt,
    lastPosition: Number(lastPosition),
    newestPosition: Number(newestPosition),
    turnCount: Number(turnCount),
    totalTokens: Number(totalTokens),
    newestSaving: Number(newestSaving),
  }
}

/** Reads a turn from its {@link TURN_COLUMNS}, which stand in a page's row after the head. */
// Number(…) because postgres.js gives a bigint as a string. None of these can reach 2^53: a turn adds less than 2^31.
function toTurn(row: readonly unknown[], toDate: (value: unknown) => Date): TurnRow {
  return {
    position: Number(row[1]),
    tokenCount: Number(row[2]),
    cumulativeTokens: Number(row[3]),
    messages: row[4] as string,
    createdAt: toDate(row[5]),
    metadata: row[6] as string | null,
  }
}
