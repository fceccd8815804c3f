import { framingName, toFraming } from '../../src/tokens/framing.ts'
import { fillBy, type Filling } from '../harness/fill.ts'
import type { CountedTurn } from '../harness/turns.ts'

/**
 * Makes the tables and any number of conversations by a few statements in all, their turns drawn from `pool` in turn. In
 * the table, the turns of one conversation lie scattered among those of others, as if all had gone on for the same time:
 * a window is not read from one place.
 */
export async function fillAll(
  url: string,
  pool: readonly CountedTurn[],
  fillings: readonly Filling[],
): Promise<void> {
  await fillBy(url, pool, fillings, async (filler) => {
    await filler.run('create temporary table fillings (user_id text, conversation_id text, turns int)')
    await filler.run(FILLINGS[filler.dialect], [JSON.stringify(fillings)])
    await filler.run(numberedTurns(pool.length))
    await filler.run(conversationRows(filler.now))
    await filler.run(turnRows(filler.now))
    // So that what is measured later does not pay for it.
    for (const statement of SETTLE[filler.dialect]) await filler.run(statement)
  })
}

const FILLINGS = {
  sqlite: `insert into fillings select value ->> 'userId', value ->> 'conversationId', value ->> 'turns' from json_each($1)`,
  postgres: `insert into fillings select * from json_to_recordset(cast(cast($1 as text) as json)) as f ("userId" text, "conversationId" text, turns int)`,
}

/** A row a turn, without its text, in the order in which they were said. From the newest back, they are drawn alike. */
const numberedTurns = (poolSize: number) => `
  create temporary table numbered as
  with recursive numbers (user_id, conversation_id, turns, n) as (
    select user_id, conversation_id, turns, 1 from fillings
    union all
    select user_id, conversation_id, turns, n + 1 from numbers where n < turns
  )
  select user_id, conversation_id, turns, n, id,
         sum(token_count) over (partition by user_id, conversation_id order by n) as cumulative_tokens
  from numbers join pool on id = (turns - n) % ${poolSize}
  order by n * 1.0 / turns`

const conversationRows = (now: string) => `
  insert into backscroll_conversations (user_id, id, encoding, framing, last_position, newest_position, turn_count,
    total_tokens, newest_saving, created_at, updated_at)
  select user_id, conversation_id, 'o200k_base', '${framingName(toFraming('text'))}', n, n, n,
    cumulative_tokens, token_count - closing, ${now}, ${now}
  from numbered join pool on pool.id = numbered.id
  where n = turns`

const turnRows = (now: string) => `
  insert into backscroll_turns (user_id, conversation_id, position, token_count, closing_token_count, cumulative_tokens,
    messages, created_at)
  select user_id, conversation_id, n, token_count, closing, cumulative_tokens, messages, ${now}
  from numbered join pool on pool.id = numbered.id`

const SETTLE = {
  sqlite: ['pragma wal_checkpoint(truncate)'],
  postgres: ['vacuum (analyze)', 'checkpoint'],
}
