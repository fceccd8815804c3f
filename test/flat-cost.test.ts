import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Conversation, ConversationStore, LoadWindowOptions } from '../src/index.ts'
import { onEachDatabase } from './support/databases.ts'
import {
  postgresHost,
  sqliteHost,
  type PostgresHost,
  type SqliteHost,
  type Statement,
} from './support/hosts.ts'
import { turnOf } from './support/inspect.ts'
import { start } from './support/processes/start.ts'

const SIZES = { short: 100, long: 1_000_000 } as const
/** By which the window function finds where the window starts. */
const INDEX = 'backscroll_turns_cumulative_tokens'
/** By which its turns are then read, under the name that each database gives it. */
const KEY = {
  postgres: 'backscroll_turns_user_id_conversation_id_position_pk',
  sqlite: 'sqlite_autoindex_backscroll_turns_1',
}

/** Windows of no turn, of a few, and of some hundred. */
const EXACT: LoadWindowOptions[] = [
  { maxTokens: 0 },
  { maxTokens: 4 },
  { maxTokens: 5 },
  { maxTokens: 60 },
  { maxTokens: 500 },
  { maxTokens: 2000 },
]
/** Those that differ between the two: larger than the short conversation, or moving in steps of the running total. */
const OTHERS: LoadWindowOptions[] = [
  { maxTokens: 50_000 },
  { maxTokens: 500, retentionRatio: 0.5 },
  { maxTokens: 2000, retentionRatio: 0.75 },
  { maxTokens: 60, retentionRatio: 0 },
]

/**
 * A turn costs 5 to 54 tokens, by its distance from the newest one: so the newest turns of a short and of a long
 * conversation are the same.
 */
const tokensAt = (position: string, last: number) => `5 + ((${last} - (${position})) * 7919) % 50`

const HEAD_COLUMNS = `user_id, id, encoding, framing, last_position, newest_position, turn_count, total_tokens,
  newest_saving, created_at, updated_at`
const TURN_COLUMNS = `user_id, conversation_id, position, token_count, closing_token_count, cumulative_tokens,
  messages, created_at`

/** Statements that make a conversation of so many turns; `turns` selects their positions, tokens and running totals. */
function fill(id: string, last: number, turns: string, now: string): string[] {
  return [
    `insert into backscroll_conversations (${HEAD_COLUMNS})
     values ('ada', '${id}', 'o200k_base', 'text ["Human","AI"]', ${last}, ${last}, ${last}, 0, 1, ${now}, ${now})`,
    `insert into backscroll_turns (${TURN_COLUMNS})
     select 'ada', '${id}', position, tokens, tokens - 1, total,
            '[{"role":"user","content":"' || position || '"}]', ${now}
     from (${turns}) as counted`,
    `update backscroll_conversations set total_tokens = (
       select cumulative_tokens from backscroll_turns
       where user_id = 'ada' and conversation_id = '${id}' and position = ${last}
     ) where user_id = 'ada' and id = '${id}'`,
  ]
}

/** The statement that loads a window, and how many turns it gave. */
async function statementOf(
  host: { store: ConversationStore; statements: Statement[] },
  conversationId: string,
  options: LoadWindowOptions,
): Promise<Statement & { returned: number }> {
  host.statements.length = 0
  const window = await host.store.conversation({ userId: 'ada', conversationId }).loadWindow(options)
  expect(host.statements).toHaveLength(1)
  return { ...host.statements[0]!, returned: window.turns.length }
}

const contentsOf = async (conversation: Conversation, options: LoadWindowOptions) =>
  (await conversation.loadWindow(options)).turns.map(({ tokenCount }) => tokenCount)

describe('a window of a million turns on postgres', () => {
  let host: PostgresHost
  beforeAll(async () => {
    host = await postgresHost()
    await host.store.migrate()
    await host.client`alter table backscroll_turns set (autovacuum_enabled = off)`
    const remakeKeys = await dropKeys(host)
    for (const [id, last] of Object.entries(SIZES)) {
      const turns = `select position, tokens, sum(tokens) over (order by position) as total
        from (select position, ${tokensAt('position', last)} as tokens
              from generate_series(1::bigint, ${last}) as position) as counted`
      for (const statement of fill(id, last, turns, 'now()')) await host.client.unsafe(statement)
      // Statistics as of when there was only the short one: the planner believes that the other has no turns.
      if (id === 'short') await host.client`analyze backscroll_turns, backscroll_conversations`
    }
    await remakeKeys()
  })
  afterAll(() => host.close())

  it('is the same as that of a hundred', async () => {
    for (const options of EXACT) {
      const [short, long] = await Promise.all(
        Object.keys(SIZES).map((conversationId) =>
          contentsOf(host.store.conversation({ userId: 'ada', conversationId }), options),
        ),
      )
      expect(long).toEqual(short)
    }
    const { turns } = await host.store
      .conversation({ userId: 'ada', conversationId: 'long' })
      .loadWindow({ maxTokens: 2000 })
    expect(turns.length).toBeGreaterThan(50)
  })

  it.each([
    { plan: 'force_custom_plan', statistics: 'old' },
    { plan: 'force_generic_plan', statistics: 'old' },
    { plan: 'force_custom_plan', statistics: 'new' },
    { plan: 'force_generic_plan', statistics: 'new' },
  ] as const)(
    'reads the rows that it returns, and the count of at most one more, and sorts none: $plan, $statistics statistics',
    async ({ plan, statistics }) => {
      if (statistics === 'new') await host.client`analyze backscroll_turns, backscroll_conversations`
      for (const options of [...EXACT, ...OTHERS]) {
        const read: number[] = []
        for (const id of Object.keys(SIZES)) {
          const statement = await statementOf(host, id, options)
          const nodes = nodesOf((await explain(host, statement, plan))[0].Plan)
          const scans = nodes.filter((node) => node['Relation Name'] === 'backscroll_turns')
          expect(scans.map((node) => node['Node Type'])).toEqual(['Index Scan', 'Index Scan'])
          expect(nodes.filter((node) => /Sort/.test(node['Node Type']))).toEqual([])
          const rowsBy = (index: string) => rowsRead(scans.find((node) => node['Index Name'] === index)!)
          expect(rowsBy(KEY.postgres)).toBe(statement.returned)
          expect(rowsBy(INDEX)).toBeGreaterThanOrEqual(statement.returned)
          expect(rowsBy(INDEX)).toBeLessThanOrEqual(statement.returned + 1)
          read.push(rowsBy(INDEX))
        }
        if (EXACT.includes(options)) expect(read[1]).toBe(read[0])
      }
    },
  )

  it('reads no table from its beginning to its end, for a page of turns neither', async () => {
    const conversation = host.store.conversation({ userId: 'ada', conversationId: 'long' })
    host.statements.length = 0
    await conversation.loadWindow({ maxTokens: 2000 })
    await conversation.listTurns({ limit: 10 })
    await conversation.listTurns({ after: 500_000, limit: 10 })
    await conversation.listTurns({ before: 500_000, limit: 10 })
    await conversation.findTurn('nobody')
    expect(host.statements).toHaveLength(5)
    for (const statement of [...host.statements]) {
      const [{ Plan }] = await explain(host, statement, 'force_custom_plan')
      const turns = nodesOf(Plan).filter((node) => node['Relation Name'] === 'backscroll_turns')
      expect(new Set(turns.map((node) => node['Node Type']))).toEqual(new Set(['Index Scan']))
      expect(turns.reduce((sum, node) => sum + rowsRead(node), 0)).toBeLessThan(200)
    }
  })
})

describe('many conversations of some hundred turns on postgres', () => {
  it('are no reason to read one of them for a key: a look-up reads the row that it finds', async () => {
    const host = await manyConversations({ keyed: true })
    const conversation = host.store.conversation({ userId: 'u7', conversationId: 'c7' })
    await conversation.listTurns({ limit: 1 })
    for (const [call, found] of [
      [() => conversation.findTurn('k9'), 1],
      [() => conversation.append(turnOf('x'), { idempotencyKey: 'new' }), 0],
    ] as const) {
      host.statements.length = 0
      await call()
      for (const plan of ['force_custom_plan', 'force_generic_plan'] as const) {
        const statement = host.statements[0]!
        const params = statement.params.map((value) => (value === 'new' ? `new by ${plan}` : value))
        const nodes = nodesOf((await explain(host, { ...statement, params }, plan))[0].Plan)
        const scans = nodes.filter((node) => node['Index Name']?.startsWith('backscroll_turns'))
        expect(scans.map((node) => node['Index Name'])).toEqual(['backscroll_turns_idempotency_key'])
        expect(rowsRead(scans[0]!)).toBe(found)
      }
    }
  })

  it('are no reason to read one of them where a message joins its newest turn, or goes', async () => {
    const host = await manyConversations({ keyed: false })
    const conversation = host.store.conversation({ userId: 'u7', conversationId: 'c7' })
    await conversation.listTurns({ limit: 1 })
    for (const call of [
      () => conversation.addMessages([{ role: 'assistant', content: 'joins' }, ...turnOf('and opens')]),
      () => conversation.addMessages([{ role: 'assistant', content: 'joins' }], { idempotencyKey: 'k' }),
      () => conversation.popMessage(),
      () => conversation.replaceNewest([], turnOf('replaces nothing')),
    ]) {
      for (const plan of ['force_custom_plan', 'force_generic_plan'] as const) {
        host.statements.length = 0
        await call()
        const statements = [...host.statements]
        expect(statements.length).toBeLessThanOrEqual(3)
        for (const statement of statements) {
          const nodes = nodesOf((await explain(host, statement, plan))[0].Plan)
          const scans = nodes.filter((node) => node['Relation Name'] === 'backscroll_turns')
          const read = scans.filter((node) => node['Node Type'] !== 'ModifyTable')
          for (const node of read) expect(node['Index Name']).toBe(KEY.postgres)
          for (const node of read) expect(rowsRead(node)).toBeLessThanOrEqual(2)
        }
      }
    }
  })
})

/** A host with 300 conversations of 300 turns. By its statistics a user and a conversation together make one turn: any index will do. */
async function manyConversations({ keyed }: { readonly keyed: boolean }): Promise<PostgresHost> {
  const host = await postgresHost()
  onTestFinished(() => host.close())
  await host.store.migrate()
  await host.client.unsafe(`
    insert into backscroll_conversations (${HEAD_COLUMNS})
    select 'u' || u, 'c' || u, 'o200k_base', 'text ["Human","AI"]', 300, 300, 300, 1500, 1, now(), now()
    from generate_series(1, 300) as u;
    insert into backscroll_turns (${TURN_COLUMNS}, idempotency_key)
    select 'u' || u, 'c' || u, p, 5, 4, 5 * p, '[{"role":"user","content":"x"}]', now(), ${keyed ? "'k' || p" : 'null'}
    from generate_series(1, 300) as p, generate_series(1, 300) as u`)
  await host.client`vacuum analyze`
  return host
}

/** What the executor did, the statement planned for its parameters or, as after some runs, for any. */
async function explain(
  { client }: PostgresHost,
  { sql, params }: Statement,
  plan: 'force_custom_plan' | 'force_generic_plan',
) {
  const literal = (value: unknown) => `'${String(value).replaceAll("'", "''")}'`
  const values = params.map((value) => (value === null ? 'null' : literal(value)))
  return client.begin(async (transaction) => {
    await transaction.unsafe(`set local plan_cache_mode = ${plan}`)
    await transaction.unsafe(`prepare captured as ${sql}`)
    const [row] = await transaction.unsafe(
      `explain (analyze, format json) execute captured(${values.join(', ')})`,
    )
    await transaction.unsafe('deallocate captured')
    const answer = row?.['QUERY PLAN'] as string | object
    return (typeof answer === 'string' ? JSON.parse(answer) : answer) as [{ Plan: PlanNode }]
  })
}

/** Drops the keys and indexes of backscroll_turns, and returns what makes them again as they were: a third of the time. */
async function dropKeys({ client }: PostgresHost): Promise<() => Promise<void>> {
  const constraints = await client`
    select conname as name, pg_get_constraintdef(oid) as definition from pg_constraint
    where conrelid = 'backscroll_turns'::regclass and contype in ('p', 'u', 'f')`
  const [index] = await client`select pg_get_indexdef(${INDEX}::regclass) as definition`
  for (const { name } of constraints)
    await client.unsafe(`alter table backscroll_turns drop constraint ${name}`)
  await client.unsafe(`drop index ${INDEX}`)
  return async () => {
    for (const { name, definition } of constraints) {
      await client.unsafe(`alter table backscroll_turns add constraint ${name} ${definition}`)
    }
    await client.unsafe(String(index?.['definition']))
  }
}

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Rows Removed by Index Recheck'?: number
  readonly Plans?: PlanNode[]
}

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)]
}

/** Rows that a scan fetched, those included that a filter then threw away. Numbers are averages over the loops. */
function rowsRead(node: PlanNode): number {
  const removed = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)
  return Math.round((node['Actual Rows'] + removed) * node['Actual Loops'])
}

describe('a window of a million turns on sqlite', () => {
  let host: SqliteHost
  /** Rows that went through the window function, whether or not they were returned. */
  let summed = 0

  beforeAll(async () => {
    host = sqliteHost()
    await host.store.migrate()
    host.client.pragma('synchronous = off')
    host.client.exec(
      'drop index backscroll_turns_cumulative_tokens; drop index backscroll_turns_idempotency_key',
    )
    for (const [id, last] of Object.entries(SIZES)) {
      const first = tokensAt('1', last)
      const turns = `with recursive counted (position, tokens, total) as (
          values (1, ${first}, ${first})
          union all
          select position + 1, ${tokensAt('position + 1', last)}, total + ${tokensAt('position + 1', last)}
          from counted where position < ${last}
        ) select * from counted`
      for (const statement of fill(id, last, turns, String(Date.now()))) host.client.exec(statement)
    }
    host.client.exec(`
      create index backscroll_turns_cumulative_tokens
      on backscroll_turns (user_id, conversation_id, cumulative_tokens, position);
      create unique index backscroll_turns_idempotency_key
      on backscroll_turns (user_id, conversation_id, idempotency_key)`)
    // SQLite counts no rows that a statement visits. But the statement hands each turn that its scan meets to sum(),
    // and a function of that name can be given in its place.
    host.client.aggregate('sum', {
      start: 0,
      step: (total: number, next: number) => (summed++, total + next),
      inverse: (total: number, gone: number) => total - gone,
      result: (total: number) => total,
    })
  })
  afterAll(() => host.close())

  it('is the same as that of a hundred', async () => {
    for (const options of EXACT) {
      const [short, long] = await Promise.all(
        Object.keys(SIZES).map((conversationId) =>
          contentsOf(host.store.conversation({ userId: 'ada', conversationId }), options),
        ),
      )
      expect(long).toEqual(short)
    }
  })

  it('reads the rows that it returns and at most one more', async () => {
    for (const options of [...EXACT, ...OTHERS]) {
      const read: number[] = []
      for (const id of Object.keys(SIZES)) {
        summed = 0
        const { returned } = await statementOf(host, id, options)
        expect(summed).toBeGreaterThanOrEqual(returned)
        expect(summed).toBeLessThanOrEqual(returned + 1)
        read.push(summed)
      }
      if (EXACT.includes(options)) expect(read[1]).toBe(read[0])
    }
  })

  it.each(['no', 'new'])(
    'searches by all three columns and sorts nothing: %s statistics',
    async (statistics) => {
      if (statistics === 'new') host.client.exec('analyze')
      for (const options of [...EXACT, ...OTHERS]) {
        const { sql, params } = await statementOf(host, 'long', options)
        const plan = planOf({ sql, params })
        const turns = '(user_id=? AND conversation_id=? AND'
        expect(plan.filter((step) => step.includes('backscroll_turns'))).toEqual([
          `SEARCH backscroll_turns USING INDEX ${KEY.sqlite} ${turns} position>? AND position<?)`,
          `SEARCH backscroll_turns USING INDEX ${INDEX} ${turns} cumulative_tokens>? AND cumulative_tokens<?)`,
        ])
        expect(plan.filter((step) => /^SCAN backscroll_|USE TEMP B-TREE/.test(step))).toEqual([])
      }
    },
  )

  it('nor does a page of turns scan one', async () => {
    const conversation = host.store.conversation({ userId: 'ada', conversationId: 'long' })
    host.statements.length = 0
    await conversation.listTurns({ limit: 10 })
    await conversation.listTurns({ after: 500_000, limit: 10 })
    await conversation.listTurns({ before: 500_000, limit: 10 })
    expect(host.statements).toHaveLength(3)
    for (const statement of host.statements) {
      const plan = planOf(statement)
      expect(plan.filter((step) => step.includes('backscroll_turns'))).toEqual([
        expect.stringMatching(
          /^SEARCH .* \(user_id=\? AND conversation_id=\? AND position>\? AND position<\?\)$/,
        ),
      ])
      expect(plan.filter((step) => /^SCAN backscroll_|USE TEMP B-TREE/.test(step))).toEqual([])
    }
  })

  it('and a turn is found by its key alone', async () => {
    host.statements.length = 0
    await host.store.conversation({ userId: 'ada', conversationId: 'long' }).findTurn('nobody')
    expect(host.statements).toHaveLength(1)
    const plan = planOf(host.statements[0]!)
    expect(plan.filter((step) => step.includes('backscroll_turns'))).toEqual([
      'SEARCH backscroll_turns USING INDEX backscroll_turns_idempotency_key ' +
        '(user_id=? AND conversation_id=? AND idempotency_key>? AND idempotency_key<?)',
    ])
  })

  it('and no call is planned anew for the values that it binds, where there are statistics', async () => {
    const conversation = host.store.conversation({ userId: 'eve', conversationId: 'c' })
    host.statements.length = 0
    await conversation.append(turnOf('one', 'ok'), { idempotencyKey: 'k' })
    await conversation.append(turnOf('one', 'ok'), { idempotencyKey: 'k' })
    await conversation.loadWindow({ maxTokens: 100 })
    await conversation.listTurns({ before: 9 })
    await conversation.findTurn('k')
    await conversation.rewind({ to: 0 })
    await host.store.listConversations('eve')
    expect(host.statements.length).toBeGreaterThan(10)
    // A value that a column is compared with as it is has SQLite look into its statistics, at each call.
    const compared = host.statements.filter(({ sql }) => /[=<>] *\?/.test(sql))
    expect(compared.map(({ sql }) => sql)).toEqual([])
  })

  function planOf({ sql, params }: Statement): string[] {
    const steps = host.client.prepare(`explain query plan ${sql}`).all(...params) as { detail: string }[]
    return steps.map(({ detail }) => detail)
  }
})

onEachDatabase('a process that only reads', (database) => {
  it('loads windows, pages and histories without js-tiktoken; only an append asks for it', async () => {
    const conversation = (await database.open()).conversation({ userId: 'ada', conversationId: 'c' })
    for (const text of ['one', 'two']) await conversation.append(turnOf(text, 'ok'))
    const reader = start('reader', { url: database.url, userId: 'ada', conversationId: 'c' })
    expect(await reader.rest()).toEqual([
      { turns: 2 },
      { messages: 4 },
      { history: 'Human: one\nAI: ok\nHuman: two\nAI: ok' },
      { append: 'js-tiktoken was asked for' },
    ])
    expect(await reader.ended()).toBe(0)
  })
})
