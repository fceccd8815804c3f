import { describe, expect, it } from 'vitest'
import { PAIRS } from '../src/conformance/ids.ts'
import { readMigrations } from '../src/dialect/migrations.ts'
import { ConversationReader } from '../src/store/conversation-reader.ts'
import { Conversation } from '../src/store/conversation.ts'
import { ConversationStore } from '../src/store/conversation-store.ts'
import { RESTLESS } from './support/codecs.ts'
import { onEachDatabase } from './support/databases.ts'
import { postgresHost, sqliteHost, type PostgresHost, type Statement } from './support/hosts.ts'
import { runSql, turnOf } from './support/inspect.ts'

/** Every public method that asks the database something, as a user calls it on a conversation of theirs. */
const METHODS: Record<string, (store: ConversationStore, userId: string) => Promise<unknown>> = {
  append: (store, userId) => conversationOf(store, userId).append(turnOf('x')),
  'append with a key': (store, userId) =>
    conversationOf(store, userId).append(turnOf('keyed'), { idempotencyKey: 'k' }),
  'append with a used key': (store, userId) =>
    conversationOf(store, userId).append(turnOf('keyed'), { idempotencyKey: 'k' }),
  'append where another turn is expected': (store, userId) =>
    conversationOf(store, userId).append(turnOf('x'), { expectedPosition: 99 }).catch(codeOf),
  loadWindow: (store, userId) => conversationOf(store, userId).loadWindow({ maxTokens: 1000 }),
  'loadWindow in steps': (store, userId) =>
    conversationOf(store, userId).loadWindow({ maxTokens: 1000, retentionRatio: 0.5 }),
  listTurns: (store, userId) => conversationOf(store, userId).listTurns(),
  'listTurns before': (store, userId) => conversationOf(store, userId).listTurns({ before: 99 }),
  'listTurns between': (store, userId) => conversationOf(store, userId).listTurns({ after: 0, before: 99 }),
  findTurn: (store, userId) => conversationOf(store, userId).findTurn('k'),
  countedAs: (store, userId) => conversationOf(store, userId).countedAs(),
  addMessages: (store, userId) => conversationOf(store, userId).addMessages(turnOf('added')),
  'addMessages that join': (store, userId) =>
    conversationOf(store, userId).addMessages([{ role: 'assistant', content: 'x' }, ...turnOf('y')]),
  'addMessages with a key': (store, userId) =>
    conversationOf(store, userId).addMessages(turnOf('y'), { idempotencyKey: 'added' }),
  'addMessages that begin a conversation': (store, userId) =>
    store
      .conversation({ userId, conversationId: 'begun' })
      .addMessages([{ role: 'system', content: 'x' }, ...turnOf('y')]),
  popMessage: (store, userId) => conversationOf(store, userId).popMessage(),
  replaceNewest: (store, userId) =>
    conversationOf(store, userId).replaceNewest([{ role: 'user', content: 'y' }], turnOf('z')),
  setMetadata: (store, userId) => conversationOf(store, userId).setMetadata({ by: userId }),
  recount: (store, userId) => conversationOf(store, userId).recount({ encoding: 'cl100k_base' }),
  'loadWindow that recounts': (store, userId) =>
    conversationOf(store, userId).loadWindow({ maxTokens: 1000 }),
  reencrypt: (store, userId) => store.reencrypt(userId),
  rewind: (store, userId) => conversationOf(store, userId).rewind({ to: 1 }),
  clear: (store, userId) => conversationOf(store, userId).clear(),
  listConversations: (store, userId) => store.listConversations(userId),
  'listConversations from a cursor': async (store, userId) => {
    const [line] = await store.listConversations(userId)
    return line && store.listConversations(userId, { before: line.cursor })
  },
  forgetUser: (store, userId) => store.forgetUser(userId),
}

function conversationOf(store: ConversationStore, userId: string) {
  return store.conversation({ userId, conversationId: 'c' })
}

const codeOf = (error: unknown) => ({ code: (error as { code?: unknown }).code })

/** Runs every method, and gives the statements of each. */
async function statementsOf(host: { store: ConversationStore; statements: Statement[] }) {
  const byMethod: [string, Statement[]][] = []
  for (const [method, call] of Object.entries(METHODS)) {
    host.statements.length = 0
    await call(host.store, 'ada')
    byMethod.push([method, [...host.statements]])
  }
  return byMethod
}

/** How often a statement reads, updates or deletes from one of the tables that hold what users said. */
function referencesIn(sql: string): number {
  const references = sql.matchAll(
    /\b(?:from|join|update|using|,)\s+["`]?backscroll_(?:conversations|turns|operations)\b/gi,
  )
  return [...references].length
}

describe('every statement that a call runs', () => {
  it('is looked at for each method that reads or writes what is of a user', () => {
    const methods = [ConversationStore, ConversationReader, Conversation].flatMap(({ prototype }) =>
      Object.entries(Object.getOwnPropertyDescriptors(prototype))
        .filter(([, { value }]) => typeof value === 'function')
        .map(([name]) => name),
    )
    // They are of no user, or ask the database nothing; the last are for subclasses alone.
    const others = ['constructor', 'conversation', 'migrate', 'examine', 'withTransaction', 'close', 'check']
    const hidden = ['newTurn', 'settle', 'isCurrent', 'currentPage', 'texts', 'recountBy']
    const missing = methods.filter((name) => ![...others, ...hidden, ...Object.keys(METHODS)].includes(name))
    expect(missing).toEqual([])
  })

  it('names the user in each search of a table on sqlite', async () => {
    await using host = sqliteHost({ codec: RESTLESS })
    await host.store.migrate()
    await host.store.examine()
    const searches: string[] = []
    for (const [method, statements] of await statementsOf(host)) {
      expect(statements, method).not.toEqual([])
      for (const { sql, params } of statements) {
        const steps = host.client.prepare(`explain query plan ${sql}`).all(...params) as { detail: string }[]
        const tables = steps.map(({ detail }) => detail).filter((step) => step.includes('backscroll_'))
        for (const step of tables) expect(step, `${method}: ${sql}`).toMatch(/^SEARCH .*\(user_id=\?/)
        expect(params, `${method}: ${sql}`).toContain('ada')
        if (/^insert/i.test(sql)) expect(sql).toMatch(/^insert into "backscroll_\w+" \("user_id"/)
        // A common table expression may be searched more than once.
        else expect(tables.length, `${method}: ${sql}`).toBeGreaterThanOrEqual(referencesIn(sql))
        searches.push(...tables)
      }
    }
    expect(searches.length).toBeGreaterThan(30)
  })

  it('names the user for each table on postgres, and so touches one of sixteen hash partitions', async () => {
    await using host = await postgresHost({ codec: RESTLESS })
    await partition(host, 16)
    await host.store.examine()
    const searches: string[] = []
    for (const [method, statements] of await statementsOf(host)) {
      expect(statements, method).not.toEqual([])
      for (const { sql, params } of statements) {
        expect(params, `${method}: ${sql}`).toContain('ada')
        const [row] = await host.client.unsafe(`explain (format json) ${sql}`, params as never[])
        const [{ Plan }] = planIn(row?.['QUERY PLAN'])
        const partitions = scannedIn(Plan)
        expect(
          new Set(partitions.map((name) => name.replace(/^.*_/, ''))).size,
          `${method}: ${sql}`,
        ).toBeLessThanOrEqual(1)
        // The planner may find a condition where there is none, or leave a table out: so the text is looked at as well.
        const conditions = [...sql.matchAll(/\buser_id"? = (?:cast\()?\$(\d+)/g)]
        expect(conditions.length, `${method}: ${sql}`).toBeGreaterThanOrEqual(referencesIn(sql))
        const inserts = [...sql.matchAll(/insert into \w+ as \w+ \(\s*user_id,.*?select cast\(\$(\d+)/gs)]
        expect(inserts.length).toBe([...sql.matchAll(/insert into/g)].length)
        for (const [, parameter] of [...conditions, ...inserts]) {
          expect(params[Number(parameter) - 1]).toBe('ada')
        }
        searches.push(...partitions)
      }
    }
    expect(searches.length).toBeGreaterThan(30)
    expect(searches.every((name) => /_p\d+$/.test(name))).toBe(true)
  })
})

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly Plans?: PlanNode[]
}

function planIn(answer: unknown): [{ Plan: PlanNode }] {
  return (typeof answer === 'string' ? JSON.parse(answer) : answer) as [{ Plan: PlanNode }]
}

/** The tables that a plan scans, changes or inserts into, partitions by their own names. */
function scannedIn({ 'Node Type': type, 'Relation Name': name, Plans = [] }: PlanNode): string[] {
  // An insert names the partitioned table: which partition it goes to is only known by its row.
  const own = name !== undefined && type !== 'ModifyTable' ? [name] : []
  return [...own, ...Plans.flatMap(scannedIn)]
}

/** Makes the tables as the migration does, but in partitions by a hash of the user's id, as a sharded database would. */
async function partition({ client }: PostgresHost, partitions: number): Promise<void> {
  for (const statement of readMigrations('postgres').flatMap(({ statements }) => statements)) {
    const [, table] = /CREATE TABLE "(backscroll_(?:conversations|turns|operations))"/.exec(statement) ?? []
    await client.unsafe(
      table === undefined ? statement : statement.replace(/\);\s*$/, ') PARTITION BY HASH ("user_id")'),
    )
    for (const part of table === undefined ? [] : Array.from({ length: partitions }).keys()) {
      await client.unsafe(
        `create table ${table}_p${part} partition of ${table} for values with (modulus ${partitions}, remainder ${part})`,
      )
    }
  }
}

onEachDatabase("another user's conversation of the same id", (database) => {
  const dump = async () => [
    await runSql(database, `select * from backscroll_conversations where user_id = 'ada' order by id`),
    await runSql(database, `select * from backscroll_turns where user_id = 'ada' order by position`),
    await runSql(database, `select * from backscroll_operations where user_id = 'ada'`),
  ]

  it.each(Object.entries(METHODS))('is not read, changed or deleted: %s', async (_, call) => {
    const store = await database.open({ codec: RESTLESS })
    await store.forgetUser('ada')
    const conversation = conversationOf(store, 'ada')
    await conversation.append(turnOf('secret'), { idempotencyKey: 'k', metadata: { secret: 1 } })
    await conversation.append(turnOf('secret'))
    await conversation.addMessages([{ role: 'assistant', content: 'secret' }], { idempotencyKey: 'added' })
    const before = await dump()
    const answer = await call(store, 'bob')
    expect(JSON.stringify(answer) ?? '').not.toContain('secret')
    expect(await dump()).toEqual(before)
    expect(before[1]).toHaveLength(2)
  })

  it('has its own positions, keys and totals', async () => {
    const store = await database.open()
    for (const userId of ['eve', 'mallory']) {
      const conversation = conversationOf(store, userId)
      await expect(conversation.append(turnOf('x'), { expectedPosition: 1 })).rejects.toMatchObject({
        code: 'POSITION_CONFLICT',
        actualPosition: 0,
      })
      expect(await conversation.append(turnOf(userId), { idempotencyKey: 'k' })).toMatchObject({
        position: 1,
        replayed: false,
      })
      expect(await conversation.loadWindow({ maxTokens: 1000 })).toMatchObject({
        messages: turnOf(userId),
        omittedTurns: 0,
      })
    }
    expect(await store.forgetUser('mallory')).toEqual({ conversations: 1, turns: 1 })
    expect(await conversationOf(store, 'eve').listTurns()).toHaveLength(1)
  })
})

onEachDatabase('ids', (database) => {
  /** Those of the conformance suite, and the longest, which it cannot use: it puts something before each user's id. */
  const KEYS = [
    ...PAIRS.filter(([userId]) => userId !== ''),
    ['__proto__', 'constructor'],
    ['\ufeffa', 'b'],
    ['u'.repeat(512), 'c'.repeat(512)],
    ['u'.repeat(512), `${'c'.repeat(511)}d`],
    ['é'.repeat(256), '🙂'.repeat(128)],
  ] as const

  it('stand for one conversation of one user each, whatever they look like', async () => {
    const store = await database.open()
    const conversations = KEYS.map(([userId, conversationId]) =>
      store.conversation({ userId, conversationId }),
    )
    for (const [index, conversation] of conversations.entries()) {
      expect(await conversation.append(turnOf(`turn ${index}`), { idempotencyKey: 'k' })).toMatchObject({
        position: 1,
        replayed: false,
      })
    }
    for (const [index, conversation] of conversations.entries()) {
      expect((await conversation.loadWindow({ maxTokens: 1000 })).messages).toEqual(turnOf(`turn ${index}`))
    }
    for (const user of new Set(KEYS.map(([userId]) => userId))) {
      const own = KEYS.filter(([userId]) => userId === user).map(([, conversationId]) => conversationId)
      const listed = (await store.listConversations(user)).map(({ conversationId }) => conversationId)
      expect(listed.toSorted()).toEqual(own.toSorted())
    }
  })

  it('are forgotten with the one user that they belong to', async () => {
    const store = await database.open()
    await store.conversation({ userId: 'kept', conversationId: 'c' }).append(turnOf('kept'))
    const users = new Set(KEYS.map(([userId]) => userId))
    let left = KEYS.length
    for (const user of users) {
      const own = KEYS.filter(([userId]) => userId === user).length
      expect(await store.forgetUser(user)).toEqual({ conversations: own, turns: own })
      left -= own
      const rows = await runSql(database, `select user_id from backscroll_turns where user_id <> 'kept'`)
      expect(rows).toHaveLength(left)
    }
    expect(await store.listConversations('kept')).toHaveLength(1)
  })

  const BAD: [string, unknown][] = [
    ['empty', ''],
    ['513 bytes of ASCII', 'u'.repeat(513)],
    ['513 bytes in 257 characters', `${'é'.repeat(256)}u`],
    ['a NUL', 'a\0b'],
    ['a lone surrogate', 'a\uD800'],
    ['a number', 1],
    ['nothing', undefined],
    ['null', null],
    ['an object', { toString: () => 'ada' }],
  ]

  it.each(BAD)('are refused: %s', async (_, id) => {
    const store = await database.open()
    const refused = expect.objectContaining({ code: 'INVALID_ID' }) as Error
    expect(() => store.conversation({ userId: id as string, conversationId: 'c' })).toThrow(refused)
    expect(() => store.conversation({ userId: 'ada', conversationId: id as string })).toThrow(refused)
    await expect(store.listConversations(id as string)).rejects.toEqual(refused)
    await expect(store.forgetUser(id as string)).rejects.toEqual(refused)
    await expect(store.reencrypt(id as string)).rejects.toEqual(refused)
  })
})
