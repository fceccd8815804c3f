import { fillPlaceholders, sql, WithSubquery, type SQL } from 'drizzle-orm'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import { bigint, int, text } from '../bind.ts'
import { listing, LISTING_FIELDS, walk, WALK_FIELDS } from '../listing.ts'
import { keyPage, newestPage, oldestPage, PAGE_FIELDS, TURN_COLUMNS, TURN_FIELDS } from '../page.ts'
import { windowPage } from '../window.ts'
import type { PostgresClient } from './connection.ts'
import { TEXT_STATEMENTS } from './texts.ts'

/** A drizzle database on Postgres, or a transaction of one. */
export type PostgresSession = PgDatabase<PgQueryResultHKT, Record<string, unknown>>

/** A statement: a select, and the `steps` in its `with` clause. Data-modifying steps all run, whatever is selected. */
export interface Statement {
  readonly steps?: Readonly<Record<string, SQL>>
  readonly fields: Readonly<Record<string, SQL>>
  readonly from: SQL
}

const itsRow = sql`user_id = ${text('userId')} and id = ${text('conversationId')}`
const itsTurns = sql`user_id = ${text('userId')} and conversation_id = ${text('conversationId')}`

/**
 * One statement, so that it needs no transaction: it hands out the position under the lock of the conversation's row,
 * adds to its totals and inserts the turn; or, when the idempotency key has been used, returns that turn and changes
 * nothing; or, when the row has another counting rule or newest position, returns nothing and changes nothing.
 *
 * A conversation that is erased while this waits for its row is begun anew here; a caller who expected turns in it must
 * not get that, so the turn's position is then null, which undoes the statement whole. Run again, it is refused.
 *
 * Two calls with one new key at once: the later one waits for the row, then breaks the unique key and is undone whole;
 * run again, it finds the first one's turn.
 */
const append: Statement = {
  steps: {
    replayed: sql`
      select ${TURN_COLUMNS} from backscroll_turns
      where ${itsTurns} and idempotency_key = ${text('idempotencyKey')}`,
    head: sql`
      insert into backscroll_conversations as c (
        user_id, id, encoding, framing, last_position, newest_position, turn_count, total_tokens, newest_saving,
        created_at, updated_at
      )
      select ${text('userId')}, ${text('conversationId')}, ${text('encoding')}, ${text('framing')}, 1, 1, 1,
             ${int('tokenCount')}, ${int('tokenCount')} - ${int('closingTokenCount')}, now(), now()
      where not exists (select 1 from replayed)
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
      returning ${TURN_COLUMNS}`,
  },
  fields: { kind: sql`kind`, encoding: sql`encoding`, framing: sql`framing`, ...TURN_FIELDS },
  from: sql`(
    select 'appended' as kind, ${text('encoding')} as encoding, ${text('framing')} as framing, ${TURN_COLUMNS}
    from appended
    union all
    select 'replayed', encoding, framing, ${TURN_COLUMNS}
    from replayed, (select encoding, framing from backscroll_conversations where ${itsRow}) as rule
  ) as stored`,
}

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
const rewind: Statement = {
  steps: {
    seen,
    newest: sql`
      select position, cumulative_tokens, token_count - closing_token_count as saving from backscroll_turns
      where ${itsTurns} and position <= ${bigint('to')}
      order by position desc limit 1`,
    dropping: sql`
      select count(*) as turn_count from backscroll_turns where ${itsTurns} and position > ${bigint('to')}`,
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
        and t.position > ${bigint('to')}
      returning t.position`,
  },
  fields: { dropped: sql`dropped`, done: sql`done` },
  from: sql`(
    select (select count(*) from dropped) as dropped,
           exists (select 1 from head) or (select turn_count from dropping) = 0 as done
  ) as answer`,
}

/** One statement; `counts` is JSON text of objects. Nothing is done when the set of turns is not the one that was counted. */
const replaceCounts: Statement = {
  steps: {
    head: sql`
      update backscroll_conversations as c set
        encoding = ${text('encoding')},
        framing = ${text('framing')},
        total_tokens = ${bigint('totalTokens')},
        newest_saving = ${int('newestSaving')}
      where c.user_id = ${text('userId')} and c.id = ${text('conversationId')}
        and c.last_position = ${bigint('lastPosition')} and c.turn_count = ${int('turnCount')}
        and date_trunc('milliseconds', c.created_at) = cast(${text('createdAt')} as timestamptz)
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

/** Makes the conversation's row where there is none yet. */
const setMetadata: Statement = {
  steps: {
    written: sql`
      insert into backscroll_conversations as c (
        user_id, id, encoding, framing, last_position, newest_position, turn_count, total_tokens, newest_saving,
        created_at, updated_at, metadata
      )
      select ${text('userId')}, ${text('conversationId')}, ${text('encoding')}, ${text('framing')}, 0, 0, 0, 0, 0,
             now(), now(), ${text('metadata')}
      on conflict (user_id, id) do update set metadata = excluded.metadata
      returning c.id`,
  },
  fields: { id: sql`id` },
  from: sql`written`,
}

/** The foreign key drops the turns with their conversation, also one that is being appended at this moment. */
const forgetUser: Statement = {
  steps: {
    erased: sql`delete from backscroll_conversations where user_id = ${text('userId')} returning turn_count`,
  },
  fields: { conversations: sql`conversations`, turns: sql`turns` },
  from: sql`(select count(*) as conversations, coalesce(sum(turn_count), 0) as turns from erased) as answer`,
}

const updatedAt = {
  microseconds: sql`cast(extract(epoch from updated_at) * 1000000 as bigint)`,
  before: sql`timestamptz 'epoch' + ${bigint('before')} * interval '1 microsecond'`,
}

const STATEMENTS = {
  append,
  rewind,
  replaceCounts,
  setMetadata,
  forgetUser,
  ...TEXT_STATEMENTS,
  walk: { fields: WALK_FIELDS, from: walk },
  listing: { fields: LISTING_FIELDS, from: listing(updatedAt) },
  window: { fields: PAGE_FIELDS, from: windowPage },
  oldestPage: { fields: PAGE_FIELDS, from: oldestPage },
  newestPage: { fields: PAGE_FIELDS, from: newestPage },
  keyPage: { fields: PAGE_FIELDS, from: keyPage },
} satisfies Record<string, Statement>

type StatementName = keyof typeof STATEMENTS
type Run = (values: Record<string, unknown>) => Promise<readonly (readonly unknown[])[]>

/** Runs the statements on one session. Each is built once, at its first use. */
export class Queries {
  readonly #session: PostgresSession
  readonly #client: PostgresClient | undefined
  readonly #built = new Map<StatementName, Run>()

  /** @param client the session's own, when it is ours: drizzle then builds the statements, and the client runs them. */
  constructor(session: PostgresSession, client?: PostgresClient) {
    this.#session = session
    this.#client = client
  }

  /** The rows, each an array of values in the order of the statement's fields, as the driver gave them. */
  run(name: StatementName, values: object): Promise<readonly (readonly unknown[])[]> {
    let run = this.#built.get(name)
    if (!run) this.#built.set(name, (run = build(name, this.#session, this.#client)))
    return run({ ...values })
  }
}

function build(name: StatementName, session: PostgresSession, client: PostgresClient | undefined): Run {
  const { steps = {}, fields, from }: Statement = STATEMENTS[name]
  const ctes = Object.entries(steps).map(([alias, step]) => new WithSubquery(step, {}, alias, true))
  const query = session
    .with(...ctes)
    .select(fields)
    .from(from)
    // A host's drizzle may cache every select: a window must never come out of a cache.
    .$withCache(false)
  if (client) {
    // Drizzle's mapping of rows costs as much again as the whole call when there are many; it has nothing to map here.
    const { sql: statement, params } = query.toSQL()
    const prepared = { prepare: true }
    return (values) =>
      client.unsafe(statement, fillPlaceholders(params, values) as never[], prepared).values()
  }
  // A host's database goes all the way through drizzle, so that its logger and tracing see every statement.
  const prepared = query.prepare(`backscroll_${name}`)
  return async (values) => (await prepared.execute(values)).map((row) => Object.values(row))
}
