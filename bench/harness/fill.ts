import Database from 'better-sqlite3'
import postgres from 'postgres'
import { openStore } from '../../src/index.ts'
import { framingName, toFraming } from '../../src/tokens/framing.ts'
import type { CountedTurn } from './turns.ts'

/** Conversations to be made: whose, which, and of how many turns. */
export interface Filling {
  readonly userId: string
  readonly conversationId: string
  readonly turns: number
}

/**
 * Makes the tables and the conversations, their turns drawn from `pool` in turn, as appending them would leave them. By
 * one statement each and without a word to the store: a million turns in seconds.
 */
export async function fill(
  url: string,
  pool: readonly CountedTurn[],
  fillings: readonly Filling[],
): Promise<void> {
  await fillBy(url, pool, fillings, async (filler) => {
    for (const { userId, conversationId, turns } of fillings) {
      const values = [userId, conversationId, turns, pool.length]
      await filler.run(conversationRow(filler.now), values)
      await filler.run(turnRows(filler.now), values)
    }
    // Postgres does so by itself in time; SQLite never.
    if (filler.dialect === 'postgres') await filler.run('analyze')
  })
}

/** Makes the tables, has `insert` make the conversations out of the turns in `pool`, and reads the first and the last. */
export async function fillBy(
  url: string,
  pool: readonly CountedTurn[],
  fillings: readonly Filling[],
  insert: (filler: Filler) => Promise<void>,
): Promise<void> {
  await using store = await openStore(url)
  const filler = openFiller(url)
  try {
    await makePool(filler, pool)
    await insert(filler)
  } finally {
    await filler.end()
  }
  // What was made is what the store itself takes for whole.
  for (const key of [...fillings.slice(0, 1), ...fillings.slice(-1)]) {
    await store.conversation(key).loadWindow({ maxTokens: 10_000 })
  }
}

/** Runs statements past the store, on one connection. */
export interface Filler {
  readonly dialect: keyof typeof POOL
  /** The time as the tables hold it. */
  readonly now: string
  run(text: string, values?: readonly (string | number)[]): unknown
  end(): unknown
}

/** A filler of the database that a URL names. */
function openFiller(url: string): Filler {
  return url.startsWith('sqlite:') ? sqliteFiller(url) : postgresFiller(url)
}

/** Makes a temporary table `pool` of the turns, numbered from 0. */
async function makePool(filler: Filler, pool: readonly CountedTurn[]): Promise<void> {
  await filler.run(
    'create temporary table pool (id integer primary key, token_count int, closing int, messages text)',
  )
  const columns = pool.map(({ tokenCount, closingTokenCount, messages }, id) => {
    return { id, token_count: tokenCount, closing: closingTokenCount, messages: JSON.stringify(messages) }
  })
  await filler.run(POOL[filler.dialect], [JSON.stringify(columns)])
}

const POOL = {
  sqlite: `insert into pool select value ->> 'id', value ->> 'token_count', value ->> 'closing', value ->> 'messages' from json_each($1)`,
  postgres: `insert into pool select * from json_to_recordset(cast(cast($1 as text) as json)) as p (id int, token_count int, closing int, messages text)`,
}

/** From the newest turn back, so that conversations of any length end alike. Parameters: user, conversation, turns, pool. */
const NUMBERED = `
  numbers (n) as (select 1 union all select n + 1 from numbers where n < cast($3 as int)),
  numbered as (select * from numbers join pool on id = (cast($3 as int) - n) % cast($4 as int))`

const conversationRow = (now: string) => `
  with recursive ${NUMBERED}
  insert into backscroll_conversations (user_id, id, encoding, framing, last_position, newest_position, turn_count,
    total_tokens, newest_saving, created_at, updated_at)
  select cast($1 as text), cast($2 as text), 'o200k_base', '${framingName(toFraming('text'))}',
    max(n), max(n), count(*), sum(token_count), (select token_count - closing from pool where id = 0), ${now}, ${now}
  from numbered`

const turnRows = (now: string) => `
  with recursive ${NUMBERED}
  insert into backscroll_turns (user_id, conversation_id, position, token_count, closing_token_count, cumulative_tokens,
    messages, created_at)
  select cast($1 as text), cast($2 as text), n, token_count, closing, sum(token_count) over (order by n), messages, ${now}
  from numbered`

function sqliteFiller(url: string): Filler {
  const database = new Database(url.slice('sqlite:'.length))
  database.pragma('synchronous = off')
  return {
    dialect: 'sqlite',
    now: "cast(unixepoch('subsec') * 1000000 as integer)",
    // To SQLite `$1` is a name.
    run: (text, values = []) =>
      database.prepare(text).run(Object.fromEntries(values.map((v, at) => [at + 1, v]))),
    end: () => database.close(),
  }
}

function postgresFiller(url: string): Filler {
  const client = postgres(url, { max: 1, onnotice: () => {}, prepare: false })
  return {
    dialect: 'postgres',
    now: 'now()',
    run: (text, values = []) => client.unsafe(text, [...values]),
    end: () => client.end(),
  }
}
