import { inspect } from 'node:util'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { runAsUser } from '../src/dialect/postgres/row-level-security/as-user.ts'
import { openStore, type ConversationStore, type OpenStoreOptions } from '../src/index.ts'
import { postgresStore, rowLevelSecurityPolicies } from '../src/postgres.ts'
import { runHere } from './support/cli.ts'
import { createPostgres, type Created } from './support/databases.ts'
import { begin, METHODS, type Key } from './support/faults/methods.ts'
import { startProxy } from './support/faults/proxy.ts'
import { RESTLESS } from './support/codecs.ts'
import { expectConsistent, oneTo, runSql, turnOf } from './support/inspect.ts'
import { createRole, createWalled, runAsAdmin, type Role, type WalledDatabase } from './support/roles.ts'
import { HOSTILE } from './support/texts.ts'

const TABLES = ['backscroll_conversations', 'backscroll_operations', 'backscroll_turns']

let walled: WalledDatabase
/** The app's own URL of the database with row-level security. */
let appUrl: string

beforeAll(async () => {
  walled = await createWalled()
  appUrl = walled.app.urlOf(walled.url)
})
afterAll(() => walled.drop())

/** A store of a test's own, as the app opens it. */
async function openWalled(options?: OpenStoreOptions, url = appUrl): Promise<ConversationStore> {
  const store = await openStore(url, { rowLevelSecurity: true, ...options })
  onTestFinished(() => store.close())
  return store
}

/** A client of a test's own, of one connection. */
function clientOf(url: string, options?: postgres.Options<Record<string, never>>) {
  const client = postgres(url, { max: 1, fetch_types: false, onnotice: () => {}, ...options })
  onTestFinished(() => client.end({ timeout: 1 }))
  return client
}

const codeOf = (error: unknown) => (error as { code?: unknown }).code

describe('the policies', () => {
  beforeAll(async () => {
    await using store = await openStore(appUrl, { rowLevelSecurity: true })
    for (const userId of ['ada', 'bob']) {
      const key = { userId, conversationId: 'c' }
      await begin(store, key)
      await store
        .conversation(key)
        .addMessages([{ role: 'assistant', content: 'more' }], { idempotencyKey: 'added' })
    }
  })

  const head = (userId: string) => `
    insert into backscroll_conversations
    select '${userId}', 'new', encoding, framing, 0, 0, 0, 0, 0, now(), now()
    from (select 'o200k_base' as encoding, 'chat' as framing) as rule`
  const turn = (userId: string) =>
    `insert into backscroll_turns values ('${userId}', 'c', 9, 5, 4, 99, '[]', null, now())`
  const operation = (userId: string) =>
    `insert into backscroll_operations values ('${userId}', 'c', 'other', 1, 'x', now())`

  it.each(['on a new connection', 'on one whose transaction named a user before'])(
    'show a role that names no user no row, and let it write none: %s',
    async (when) => {
      const client = clientOf(appUrl)
      if (when !== 'on a new connection') {
        await client.begin((tx) => tx`select set_config('backscroll.user_id', 'ada', true)`)
      }
      for (const table of TABLES) {
        expect(await client.unsafe(`select * from ${table}`)).toHaveLength(0)
        expect(await client.unsafe(`update ${table} set created_at = now()`)).toMatchObject({ count: 0 })
        expect(await client.unsafe(`delete from ${table}`)).toMatchObject({ count: 0 })
      }
      // The empty user too: it is what the setting says when nobody is named any more.
      for (const userId of ['ada', 'eve', '']) {
        expect(await client.unsafe(head(userId)).catch(codeOf)).toBe('42501')
        expect(await client.unsafe(turn(userId)).catch(codeOf)).toBe('42501')
        expect(await client.unsafe(operation(userId)).catch(codeOf)).toBe('42501')
      }
    },
  )

  it("show exactly the named user's rows, and let no other's be written, until the transaction ends", async () => {
    const client = clientOf(appUrl)
    class Undone extends Error {}
    const work = client.begin(async (tx) => {
      await tx`select set_config('backscroll.user_id', 'ada', true)`
      expect(await tx`select user_id, id from backscroll_conversations`).toEqual([
        { user_id: 'ada', id: 'c' },
      ])
      expect(await tx`select user_id, position from backscroll_turns order by position`).toEqual([
        { user_id: 'ada', position: '1' },
        { user_id: 'ada', position: '2' },
      ])
      for (const text of [
        head('bob'),
        turn('bob'),
        operation('bob'),
        "update backscroll_conversations set user_id = 'bob'",
      ]) {
        expect(await tx.savepoint((inner) => inner.unsafe(text)).catch(codeOf)).toBe('42501')
      }
      expect(await tx.unsafe(head('ada'))).toMatchObject({ count: 1 })
      expect(await tx`update backscroll_turns set metadata = 'x'`).toMatchObject({ count: 2 })
      expect(await tx`delete from backscroll_turns`).toMatchObject({ count: 2 })
      expect(await tx`delete from backscroll_conversations`).toMatchObject({ count: 2 })
      throw new Undone()
    })
    await expect(work).rejects.toThrow(Undone)
    expect(await client`select current_setting('backscroll.user_id', true) as named`).toEqual([{ named: '' }])
    expect(await client`select * from backscroll_turns`).toHaveLength(0)
    for (const userId of ['ada', 'bob']) {
      expect(await expectConsistent(walled, { userId, conversationId: 'c' })).toHaveLength(2)
    }
  })

  it('keep to one user a statement that forgot to, where the statements of a store run', async () => {
    const db = drizzle({ client: clientOf(appUrl) })
    for (const table of TABLES) {
      const rows = await runAsUser(db, 'ada', `select distinct user_id from ${table}`, [])
      expect(rows).toEqual([['ada']])
      const changed = `with changed as (update ${table} set created_at = created_at returning user_id)
        select distinct user_id from changed`
      expect(await runAsUser(db, 'bob', changed, [])).toEqual([['bob']])
      const other = `select * from ${table} where user_id = $1`
      expect(await runAsUser(db, 'ada', other, ['bob'])).toEqual([])
    }
    const dropped =
      'with dropped as (delete from backscroll_turns where user_id = $1 returning 1) select 1 from dropped'
    expect(await runAsUser(db, 'ada', dropped, ['bob'])).toEqual([])
    expect(await expectConsistent(walled, { userId: 'bob', conversationId: 'c' })).toHaveLength(2)
  })

  it("bind the tables' owner too, who goes on migrating, but reads nothing", async () => {
    const url = walled.owner.urlOf(walled.url)
    for (const table of TABLES) expect(await clientOf(url).unsafe(`select * from ${table}`)).toHaveLength(0)
    await using owner = await openStore(url, { migrate: false })
    await owner.migrate()
    await owner.migrate({ rowLevelSecurity: { role: walled.app.name } })
    await expect(owner.listConversations('ada')).rejects.toMatchObject({ code: 'ROW_LEVEL_SECURITY' })
    const policies = `select tablename, policyname from pg_policies order by 1`
    expect(await runSql(walled, policies)).toEqual(
      TABLES.map((tablename) => ({ tablename, policyname: 'backscroll_own_rows' })),
    )
  })
})

describe('a store that names its users', () => {
  /** The same, without policies: what each call is held against. */
  let plain: Created & { readonly name: 'postgres'; readonly store: ConversationStore }
  beforeAll(async () => {
    const created = await createPostgres()
    plain = { ...created, name: 'postgres', store: await openStore(created.url) }
  })
  afterAll(async () => {
    await plain.store.close()
    await plain.drop()
  })

  /** Everything of a user and of others, without times. */
  async function dump(database: Pick<WalledDatabase, 'name' | 'url'>, userId: string) {
    const rows = await runSql(
      database,
      `select c.user_id, c.id, c.encoding, c.framing, c.last_position, c.turn_count, c.total_tokens, c.newest_saving,
              c.metadata, t.position, t.token_count, t.cumulative_tokens, t.messages, t.idempotency_key
       from backscroll_conversations c left join backscroll_turns t on t.user_id = c.user_id and conversation_id = id
       where c.user_id in (${quoted(userId)}, 'other') order by c.user_id, c.id, t.position`,
    )
    return JSON.stringify(rows)
  }

  const quoted = (text: string) => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
  const withoutTimes = (value: unknown) =>
    JSON.stringify(value, (key, inner: unknown) =>
      ['createdAt', 'updatedAt', 'cursor'].includes(key) ? undefined : inner,
    )

  /** Ids that something less careful would read as SQL, or take for one another. */
  const IDS = [
    "o'hara",
    `"; drop table backscroll_turns; --`,
    "\\'; select 1; --",
    '$1 $2 $10',
    '$backscroll$',
    '%s {0} ?',
    'é e\u0301 🙂👨‍👩‍👧 مرحبا \u202e',
    '\n\t\r',
    'u'.repeat(512),
  ]

  it.each(METHODS.map((method, index) => ({ ...method, userId: IDS[index % IDS.length]! })))(
    'gives and stores by $name what one without policies does',
    async ({ call, userId }) => {
      const key: Key = { userId, conversationId: userId }
      const walledStore = await openWalled()
      const seen: unknown[] = []
      for (const [store, database] of [
        [walledStore, walled],
        [plain.store, plain],
      ] as const) {
        await store.forgetUser(userId)
        await store.forgetUser('other')
        await begin(store, { userId: 'other', conversationId: userId })
        await begin(store, key)
        seen.push([withoutTimes(await call(store, key)), await dump(database, userId)])
      }
      expect(seen[0]).toEqual(seen[1])
    },
  )

  it('stores any text as one without policies does, and gives it back', async () => {
    const store = await openWalled()
    const key = { userId: "o'hara", conversationId: "'); --" }
    const texts = [...HOSTILE, '$1', '$backscroll$', "';", '--', '/*', '\\x41', "E'\\''", '\u202eabc', '𝕏𝔞😀']
    for (const on of [store, plain.store]) {
      await on.forgetUser(key.userId)
      for (const content of texts) {
        const turn = [{ role: 'user', content, note: content }] as const
        const stored = await on.conversation(key).append(turn, { metadata: { content } })
        expect(stored).toMatchObject({ messages: turn, metadata: { content }, replayed: false })
      }
      const read = await on.conversation(key).listTurns()
      expect(read.map(({ messages }) => messages[0]!.content)).toEqual(texts)
    }
    expect(await dump(walled, key.userId)).toBe(await dump(plain, key.userId))
  })

  it('stores a turn of a megabyte, and finds it by its key', async () => {
    const conversation = (await openWalled()).conversation({ userId: 'ada', conversationId: 'large' })
    const messages = turnOf(`${'word\' "é\\ '.repeat(90_000)}`.slice(0, 900_000))
    const { position, tokenCount } = await conversation.append(messages, { idempotencyKey: "k'" })
    expect(await conversation.append(messages, { idempotencyKey: "k'" })).toMatchObject({
      position,
      replayed: true,
    })
    expect(await conversation.findTurn("k'")).toMatchObject({ messages })
    expect(await conversation.loadWindow({ maxTokens: tokenCount })).toMatchObject({ messages })
  })

  it.each([
    { standard_conforming_strings: 'off' },
    { client_encoding: 'LATIN1' },
    { TimeZone: 'Asia/Kolkata', IntervalStyle: 'sql_standard' },
    { default_transaction_isolation: 'serializable' },
    { quote_all_identifiers: 'on', escape_string_warning: 'on' },
    { plan_cache_mode: 'force_generic_plan' },
    { DateStyle: 'German' },
    { DateStyle: 'SQL, DMY' },
  ])('does so where the role is set to %o', async (settings) => {
    const { name } = walled.app
    for (const [setting, value] of Object.entries(settings)) {
      await runAsAdmin(`alter role ${name} set ${setting} = '${value}'`, walled.url)
    }
    onTestFinished(() => runAsAdmin(`alter role ${name} reset all`, walled.url))
    const store = await openWalled()
    const conversation = store.conversation({ userId: "a\\'b", conversationId: '\\' })
    const before = Date.now()
    const stored = await conversation.append(turnOf("\\' é 😀 \\\\"), { idempotencyKey: '\\' })
    expect(Math.abs(stored.createdAt.getTime() - before)).toBeLessThan(60_000)
    expect(await conversation.listTurns()).toEqual([stored])
    expect(await conversation.recount({ encoding: 'gpt2' })).toEqual({ turns: 1 })
    const [line] = await store.listConversations("a\\'b")
    expect(line).toMatchObject({ conversationId: '\\', turnCount: 1 })
    expect(await store.listConversations("a\\'b", { before: line!.cursor })).toEqual([])
    expect(await store.forgetUser("a\\'b")).toEqual({ conversations: 1, turns: 1 })
  })

  it('leaves no row of a user who is forgotten, and none without its conversation', async () => {
    const store = await openWalled()
    await begin(store, { userId: 'gone', conversationId: 'one' })
    await begin(store, { userId: 'gone', conversationId: 'two' })
    expect(await store.forgetUser('gone')).toEqual({ conversations: 2, turns: 4 })
    for (const table of TABLES) {
      expect(await runSql(walled, `select * from ${table} where user_id = 'gone'`)).toEqual([])
    }
  })

  it('keeps positions, keys and totals under eight writers at once', async () => {
    const stores = await Promise.all(oneTo(8).map(() => openWalled()))
    const keys = ['ada', 'bob'].map((userId) => ({ userId, conversationId: 'busy' }))
    const append = (index: number, key: Key) =>
      stores[index % 8]!.conversation(key).append(turnOf(`turn ${index % 24}`), {
        idempotencyKey: `k${index % 24}`,
      })
    // Each key is used twice.
    const appended = await Promise.all(oneTo(48).flatMap((index) => keys.map((key) => append(index, key))))
    expect(appended.filter(({ replayed }) => replayed)).toHaveLength(48)
    for (const key of keys) {
      const rows = await expectConsistent(walled, key)
      expect(rows.map(({ position }) => position)).toEqual(oneTo(24))
      expect(new Set(rows.map(({ key: name }) => name)).size).toBe(24)
      const late = stores[0]!.conversation(key).append(turnOf('x'), { expectedPosition: 3 })
      await expect(late).rejects.toMatchObject({ code: 'POSITION_CONFLICT', actualPosition: 24 })
    }
    const [winner, loser] = await Promise.allSettled(
      [1, 2].map((index) =>
        stores[index]!.conversation(keys[0]!).append(turnOf('x'), { expectedPosition: 24 }),
      ),
    )
    expect([winner!.status, loser!.status].toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(await expectConsistent(walled, keys[0]!)).toHaveLength(25)
  })

  it('tells nothing of a user in an error, though the failing statement holds all of it as hex', async () => {
    await runAsAdmin(`revoke insert on backscroll_turns from ${walled.app.name}`, walled.url)
    onTestFinished(() => runAsAdmin(`grant insert on backscroll_turns to ${walled.app.name}`, walled.url))
    const db = drizzle({ client: clientOf(appUrl) })
    const secrets = [
      'Quetzalcoatl',
      Buffer.from('Quetzalcoatl').toString('hex'),
      walled.app.password,
      'postgres://',
    ]
    for (const store of [await openWalled(), postgresStore(db, { rowLevelSecurity: true })]) {
      const conversation = store.conversation({ userId: 'user Quetzalcoatl', conversationId: 'c' })
      const append = conversation.append(turnOf('Quetzalcoatl'), { idempotencyKey: 'Quetzalcoatl' })
      const error = await append.catch((caught: unknown) => caught)
      expect(error).toMatchObject({ code: 'DATABASE_ERROR', cause: { code: '42501' } })
      const shown = inspect(error, { depth: Infinity, showHidden: true }) + JSON.stringify(error)
      for (const secret of secrets) expect(shown).not.toContain(secret)
    }
  })

  it("works for two users in one transaction of the host's, which takes both back", async () => {
    const db = drizzle({ client: clientOf(appUrl, { max: 2 }) })
    const store = postgresStore(db, { rowLevelSecurity: true })
    class Undone extends Error {}
    const users = ['carol', 'dan']
    const work = (end: () => void) =>
      db.transaction(async (tx) => {
        for (const userId of [...users, ...users]) {
          const conversation = store.withTransaction(tx).conversation({ userId, conversationId: 'c' })
          await conversation.append(turnOf(userId))
          const { messages } = await conversation.loadWindow({ maxTokens: 1000 })
          expect(new Set(messages.map(({ content }) => content))).toEqual(new Set([userId, 'Noted.']))
        }
        end()
      })
    const undone = work(() => {
      throw new Undone()
    })
    await expect(undone).rejects.toThrow(Undone)
    for (const userId of users) expect(await store.listConversations(userId)).toEqual([])
    await work(() => {})
    for (const userId of users) {
      expect(await expectConsistent(walled, { userId, conversationId: 'c' })).toHaveLength(2)
    }
  })

  it('encrypts what it stores, and encrypts it anew', async () => {
    const store = await openWalled({ codec: RESTLESS })
    const conversation = store.conversation({ userId: 'secretive', conversationId: 'c' })
    const turn = await conversation.append(turnOf('Nobody reads this.'), { metadata: { mood: 'wary' } })
    await conversation.setMetadata({ title: 'Secret' })
    expect(await store.reencrypt('secretive')).toEqual({ conversations: 1, turns: 1 })
    expect(await conversation.listTurns()).toEqual([turn])
    const [row] = await runSql(walled, "select messages from backscroll_turns where user_id = 'secretive'")
    expect(row?.['messages']).toMatch(/^"backscroll:/)
  })

  it('does not migrate, since who makes the tables can go round their policies', async () => {
    const created = await createPostgres()
    onTestFinished(() => created.drop())
    const store = postgresStore(drizzle({ client: clientOf(created.url) }), { rowLevelSecurity: true })
    await expect(store.migrate()).rejects.toMatchObject({ code: 'ROW_LEVEL_SECURITY' })
    expect(
      await runSql({ name: 'postgres', url: created.url }, `select to_regclass('${TABLES[0]}')`),
    ).toEqual([{ to_regclass: null }])
  })
})

describe('the command line on tables with policies', () => {
  it('works as the role of the app, which names the user that --user says', async () => {
    const onApp = (command: string, ...args: string[]) =>
      runHere([command, '--database', appUrl, '--user', 'grace', ...args])
    const store = await openWalled()
    const key = { userId: 'grace', conversationId: 'chat' }
    await store.conversation(key).append(turnOf('Hello.'))
    expect(await onApp('list')).toMatchObject({ code: 0, errors: '' })
    const exported = await onApp('export')
    expect(JSON.parse(exported.output)).toMatchObject({ user_id: 'grace', messages: turnOf('Hello.') })
    expect(await onApp('recount', '--model', 'gpt-4')).toMatchObject({ code: 0, errors: '' })
    expect(await onApp('forget', '--yes')).toMatchObject({
      code: 0,
      output: 'Erased: 1 conversation, 1 turn.\n',
    })
    expect(await store.conversation(key).listTurns()).toEqual([])
  })

  it('says to their owner why it cannot read them', async () => {
    const list = await runHere(['list', '--database', walled.owner.urlOf(walled.url)])
    expect(list).toEqual({
      code: 1,
      output: '',
      errors: expect.stringMatching(
        /^backscroll: This role can go round row-level security: it owns .*\n$/,
      ) as string,
    })
  })
})

describe('a window under the policies', () => {
  /** By which the window function finds where the window starts, and by which its turns are then read. */
  const INDEXES = [
    'backscroll_turns_cumulative_tokens',
    'backscroll_turns_user_id_conversation_id_position_pk',
  ]
  const KEY = { userId: 'long', conversationId: 'c 7' }

  beforeAll(async () => {
    // Many conversations of one user, and of others: what a condition on the user alone would read too much of.
    await runAsAdmin(
      `insert into backscroll_conversations
       select userid, 'c ' || c, 'o200k_base', 'text ["Human","AI"]', 400, 400, 400, 2000, 1, now(), now()
       from (values ('long'), ('longer')) as users (userid), generate_series(1, 40) as c;
       insert into backscroll_turns
       select user_id, id, p, 5, 4, p * 5, '[{"role":"user","content":"x"}]', 'k' || p, now()
       from backscroll_conversations, generate_series(1, 400) as p where user_id in ('long', 'longer');
       analyze backscroll_turns, backscroll_conversations`,
      walled.url,
    )
  })
  afterAll(() => runAsAdmin(`delete from backscroll_conversations where user_id like 'long%'`, walled.url))

  it('reads the rows that it returns, and the count of at most one more, by the same indexes', async () => {
    for (const maxTokens of [0, 4, 60, 500, 5000]) {
      const { window, scans } = await explained((store) => store.conversation(KEY).loadWindow({ maxTokens }))
      expect(scans.map((scan) => scan['Node Type'])).toEqual(['Index Scan', 'Index Scan'])
      const [counts, turns] = INDEXES.map((index) =>
        rowsRead(scans.filter((scan) => scan['Index Name'] === index)),
      )
      expect(turns).toBe(window.turns.length)
      expect(counts).toBeGreaterThanOrEqual(window.turns.length)
      expect(counts).toBeLessThanOrEqual(window.turns.length + 1)
    }
  })

  it('is not the only one: a page, a key and an append find their rows by an index too', async () => {
    const conversation = (store: ConversationStore) => store.conversation(KEY)
    const calls: ((store: ConversationStore) => Promise<unknown>)[] = [
      (store) => conversation(store).listTurns({ limit: 10 }),
      (store) => conversation(store).listTurns({ before: 300, limit: 10 }),
      (store) => conversation(store).findTurn('k3'),
      (store) => conversation(store).append(turnOf('x'), { idempotencyKey: 'k new' }),
      (store) => conversation(store).rewind({ to: 400 }),
    ]
    for (const call of calls) {
      const { scans } = await explained(call)
      expect(scans.length).toBeGreaterThan(0)
      expect(scans.filter((scan) => /Seq|Bitmap/.test(scan['Node Type']))).toEqual([])
      expect(rowsRead(scans)).toBeLessThanOrEqual(12)
    }
  })

  interface PlanNode {
    readonly 'Node Type': string
    readonly 'Relation Name'?: string
    readonly 'Index Name'?: string
    readonly 'Actual Rows': number
    readonly 'Actual Loops': number
    readonly 'Rows Removed by Filter'?: number
    readonly Plans?: PlanNode[]
  }

  /** What a call gave, and how the executor then read the turns for each of the texts that it sent. */
  async function explained<T>(call: (store: ConversationStore) => Promise<T>) {
    const sent: string[] = []
    const client = clientOf(appUrl)
    const logger = { logQuery: (text: string) => void sent.push(text) }
    const store = postgresStore(drizzle({ client, logger }), { rowLevelSecurity: true })
    await store.examine()
    sent.length = 0
    const window = await call(store)
    const scans: PlanNode[] = []
    for (const text of sent) {
      const [naming, statement] = splitOnce(text, ';\n')
      const results = await client.unsafe(`${naming}; explain (analyze, format json) ${statement}`)
      const [row] = results.at(-1) as unknown as [{ 'QUERY PLAN': unknown }]
      const plan = row['QUERY PLAN']
      const [{ Plan }] = (typeof plan === 'string' ? JSON.parse(plan) : plan) as [{ Plan: PlanNode }]
      scans.push(...nodesOf(Plan).filter(isScanOfTurns))
    }
    return { window, scans }
  }

  function splitOnce(text: string, separator: string): [string, string] {
    const at = text.indexOf(separator)
    return [text.slice(0, at), text.slice(at + separator.length)]
  }

  function nodesOf(node: PlanNode): PlanNode[] {
    return [node, ...(node.Plans ?? []).flatMap(nodesOf)]
  }

  function isScanOfTurns(node: PlanNode): boolean {
    return node['Relation Name'] === 'backscroll_turns' && /Scan/.test(node['Node Type'])
  }

  function rowsRead(scans: readonly PlanNode[]): number {
    const read = scans.map(
      (node) => (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'],
    )
    return Math.round(read.reduce((sum, rows) => sum + rows, 0))
  }
})

describe('a store is refused', () => {
  const refused = expect.objectContaining({ code: 'ROW_LEVEL_SECURITY', mayBeStored: false }) as Error

  /** Each way to come to a store on this database as this role; nothing of it may work. */
  async function expectRefused(url: string, error: Error): Promise<void> {
    await expect(openStore(url, { rowLevelSecurity: true })).rejects.toEqual(error)
    const db = drizzle({ client: clientOf(url, { max: 2 }) })
    const store = postgresStore(db, { rowLevelSecurity: true })
    const key = { userId: 'refused', conversationId: 'c' }
    await expect(store.conversation(key).append(turnOf('x'))).rejects.toEqual(error)
    // Not only at first.
    await expect(store.conversation(key).append(turnOf('x'))).rejects.toEqual(error)
    await expect(store.listConversations('refused')).rejects.toEqual(error)
    await expect(store.examine()).rejects.toEqual(error)
    const inside = db.transaction((tx) => store.withTransaction(tx).conversation(key).append(turnOf('x')))
    await expect(inside).rejects.toEqual(error)
  }

  const nothingStored = async (url: string) =>
    expect(
      await runSql({ name: 'postgres', url }, `select * from backscroll_turns where user_id = 'refused'`),
    ).toEqual([])

  it('to a superuser, who can go round every policy', async () => {
    await expectRefused(walled.url, refused)
    await nothingStored(walled.url)
  })

  it("to the tables' owner", async () => {
    await expectRefused(walled.owner.urlOf(walled.url), refused)
  })

  const attributes: [string, () => string][] = [
    ['that has BYPASSRLS', () => 'bypassrls'],
    ["that is a member of the tables' owner", () => `in role ${walled.owner.name}`],
    ['that is such a member but inherits nothing', () => `noinherit in role ${walled.owner.name}`],
  ]
  it.each(attributes)('to a role %s', async (_, attributesOf) => {
    const role = await createRole(attributesOf())
    onTestFinished(async () => {
      await runAsAdmin(`drop owned by ${role.name}`, walled.url)
      await role.drop()
    })
    await runAsAdmin(
      `grant select, insert, update, delete on ${TABLES.join(', ')} to ${role.name};
       grant select on backscroll_migrations to ${role.name}`,
      walled.url,
    )
    await expectRefused(role.urlOf(walled.url), refused)
    await nothingStored(walled.url)
  })

  it('to a superuser who took the role of the app, and can put it off again', async () => {
    const client = clientOf(walled.url, { connection: { role: walled.app.name } as never })
    expect(await client`select current_user`).toEqual([{ current_user: walled.app.name }])
    const store = postgresStore(drizzle({ client }), { rowLevelSecurity: true })
    await expect(store.listConversations('ada')).rejects.toEqual(refused)
  })

  describe('where the policies', () => {
    const CHANGES: [string, string, string?][] = [
      ['are not there', TABLES.map((table) => `drop policy backscroll_own_rows on ${table}`).join(';')],
      ['stand on one of the tables only', 'drop policy backscroll_own_rows on backscroll_turns'],
      ['are not in force', `alter table ${TABLES[1]} disable row level security`],
      ['do not bind the owner', `alter table ${TABLES[0]} no force row level security`],
      [
        'are opened by another',
        `create policy opened on ${TABLES[1]} for select using (true)`,
        `drop policy opened on ${TABLES[1]}`,
      ],
      [
        'say something else under their name',
        `alter policy backscroll_own_rows on ${TABLES[1]} using (true)`,
      ],
      ['are for another role', `alter policy backscroll_own_rows on ${TABLES[0]} to pg_monitor`],
    ]

    it.each(CHANGES)('%s', async (_, change, undo = '') => {
      onTestFinished(() => runAsAdmin(`${undo};${rowLevelSecurityPolicies()}`, walled.url))
      await runAsAdmin(change, walled.url)
      await expectRefused(appUrl, refused)
      await nothingStored(walled.url)
    })

    it('are there beside a restrictive one: that only closes more', async () => {
      onTestFinished(() => runAsAdmin('drop policy closed on backscroll_turns', walled.url))
      await runAsAdmin(
        `create policy closed on backscroll_turns as restrictive using (user_id <> 'closed')`,
        walled.url,
      )
      const store = await openWalled()
      await begin(store, { userId: 'ada', conversationId: 'restricted' })
    })
  })

  it('without the tables, or with outdated ones, as a store that is not migrated', async () => {
    const created = await createPostgres()
    onTestFinished(() => created.drop())
    const notMigrated = expect.objectContaining({ code: 'NOT_MIGRATED' }) as Error
    await expectRefused(walled.app.urlOf(created.url), notMigrated)
    await using admin = await openStore(created.url)
    await admin.migrate({ rowLevelSecurity: { role: walled.app.name } })
    await openWalled({}, walled.app.urlOf(created.url))
    await runAsAdmin("delete from backscroll_migrations where name like '0001%'", created.url)
    await expectRefused(walled.app.urlOf(created.url), notMigrated)
    await runAsAdmin('drop table backscroll_turns', created.url)
    await expectRefused(walled.app.urlOf(created.url), notMigrated)
  })

  it('that names no users, by a role that the policies bind: it would see no conversation', async () => {
    for (const role of [walled.app, walled.owner]) {
      const url = role.urlOf(walled.url)
      await expect(openStore(url)).rejects.toEqual(refused)
      const db = drizzle({ client: clientOf(url, { max: 2 }) })
      const key = { userId: 'ada', conversationId: 'c' }
      for (const options of [undefined, { rowLevelSecurity: false }]) {
        const store = postgresStore(db, options)
        await expect(store.conversation(key).loadWindow({ maxTokens: 9 })).rejects.toEqual(refused)
        const inside = db.transaction((tx) => store.withTransaction(tx).conversation(key).listTurns())
        await expect(inside).rejects.toEqual(refused)
      }
    }
  })

  it.each(TABLES)('so also where they bind it on %s alone', async (table) => {
    onTestFinished(() => runAsAdmin(rowLevelSecurityPolicies(), walled.url))
    await runAsAdmin(
      TABLES.filter((other) => other !== table)
        .map((other) => `alter table ${other} disable row level security`)
        .join(';'),
      walled.url,
    )
    await expect(openStore(appUrl)).rejects.toEqual(refused)
  })

  it('by an answer that begins anew because its connection broke in the middle of it', async () => {
    await using proxy = await startProxy(appUrl)
    const client = clientOf(proxy.url)
    const store = postgresStore(drizzle({ client }))
    await client`select 1`
    // The first answer: its columns, its row, and then nothing.
    const cut = proxy.inject({ of: 'server', at: 2, effect: 'cut after' })
    await expect(store.listConversations('ada')).rejects.toEqual(refused)
    expect(cut.struck).toBe(1)
  })
})

describe('migrate with row-level security', () => {
  let created: Created & { readonly name: 'postgres' }
  let role: Role
  beforeAll(async () => {
    created = { ...(await createPostgres()), name: 'postgres' }
    role = await createRole()
  })
  afterAll(async () => {
    await created.drop()
    await role.drop()
  })

  const inForce = () =>
    runSql(
      created,
      `select relname, relrowsecurity, relforcerowsecurity, polname, polcmd, polroles, polpermissive,
              pg_get_expr(polqual, polrelid) as using, pg_get_expr(polwithcheck, polrelid) as check
       from pg_class left join pg_policy on polrelid = pg_class.oid
       where relname in (${TABLES.map((table) => `'${table}'`).join(', ')}) order by relname`,
    )
  const command = (...args: string[]) => runHere(['migrate', '--database', created.url, ...args])

  it('is printed as statements that do the same when something else runs them', async () => {
    expect(await command()).toMatchObject({ code: 0 })
    const printed = await command('--row-level-security', '--role', role.name, '--print')
    expect(printed).toMatchObject({ code: 0, errors: '' })
    expect(await inForce()).toMatchObject(TABLES.map(() => ({ relrowsecurity: false, polname: null })))
    // A statement at a time, as psql does.
    for (const statement of printed.output.split(/(?<=;)\n/)) await runAsAdmin(statement, created.url)
    const byHand = await inForce()
    await openWalled({}, role.urlOf(created.url))
    await runAsAdmin(
      TABLES.map(
        (
          table,
        ) => `drop policy backscroll_own_rows on ${table}; alter table ${table} disable row level security,
          no force row level security; revoke all on ${table} from ${role.name}`,
      ).join(';'),
      created.url,
    )
    expect(await command('--row-level-security', '--role', role.name)).toEqual({
      code: 0,
      errors: '',
      output: 'The tables are up to date, and row-level security is in force.\n',
    })
    expect(await inForce()).toEqual(byHand)
    await openWalled({}, role.urlOf(created.url))
    expect(await command('--row-level-security', '--json')).toMatchObject({
      code: 0,
      output: '{\n  "upToDate": true,\n  "rowLevelSecurity": true\n}\n',
    })
    expect(await inForce()).toEqual(byHand)
  })

  it('may be run by eight at once, and while a store is in use', async () => {
    await using store = await openStore(created.url)
    const migrate = () => store.migrate({ rowLevelSecurity: { role: role.name } })
    await Promise.all(oneTo(8).map(migrate))
    const app = await openWalled({}, role.urlOf(created.url))
    const key = { userId: 'ada', conversationId: 'c' }
    const append = (index: number) =>
      app.conversation(key).append(turnOf(`turn ${index}`), { idempotencyKey: `k${index}` })
    await Promise.all([...oneTo(12).map(append), ...oneTo(8).map(migrate), ...oneTo(24).map(append)])
    expect(await expectConsistent(created, key)).toHaveLength(24)
  })

  it('quotes the name of a role, whatever is in it', async () => {
    const name = `it's "a" role; drop table backscroll_turns; -- ${role.name}`.slice(0, 60)
    const identifier = `"${name.replaceAll('"', '""')}"`
    await runAsAdmin(`create role ${identifier}`, created.url)
    onTestFinished(() => runAsAdmin(`drop owned by ${identifier}; drop role ${identifier}`, created.url))
    await using store = await openStore(created.url)
    await store.migrate({ rowLevelSecurity: { role: name } })
    const granted = `select distinct grantee from information_schema.role_table_grants
      where table_name like 'backscroll_%' and grantee = '${name.replaceAll("'", "''")}'`
    expect(await runSql(created, granted)).toEqual([{ grantee: name }])
  })

  it('fails for a role that does not exist or could not, and changes nothing', async () => {
    const before = await inForce()
    await using store = await openStore(created.url)
    const migrate = (name: unknown) => store.migrate({ rowLevelSecurity: { role: name as string } })
    await expect(migrate('nobody at all')).rejects.toMatchObject({
      code: 'DATABASE_ERROR',
      cause: { code: '42704' },
    })
    for (const name of ['', 'r'.repeat(64), 'a\0b', 5, null]) {
      await expect(migrate(name)).rejects.toMatchObject({ code: 'INVALID_ID' })
    }
    await expect(store.migrate({ rowLevelSecurity: true as never })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    expect(await inForce()).toEqual(before)
    expect(await command('--row-level-security', '--role', 'nobody at all')).toMatchObject({
      code: 1,
      output: '',
    })
  })

  it.each([
    [['--role', 'app']],
    [['--print']],
    [['--role', 'app', '--print']],
    [['--row-level-security', '--print', '--json']],
    [['--row-level-security', '--role', '']],
    [['--row-level-security', '--role', '', '--print']],
    [['--row-level-security', '--role']],
    [['--row-level-security=yes']],
  ])('takes no wrong combination: %j', async (args) => {
    const { code, output, errors } = await command(...args)
    expect({ code, output }).toEqual({ code: 2, output: '' })
    expect(errors).toMatch(/ See: backscroll migrate --help\n$/)
  })

  it('is refused on SQLite', async () => {
    const invalid = { code: 'INVALID_ARGUMENT' }
    await expect(openStore('sqlite::memory:', { rowLevelSecurity: true })).rejects.toMatchObject(invalid)
    await using store = await openStore('sqlite::memory:')
    await expect(store.migrate({ rowLevelSecurity: {} })).rejects.toMatchObject(invalid)
    const args = ['migrate', '--database', 'sqlite::memory:', '--row-level-security']
    expect(await runHere(args)).toMatchObject({ code: 2, output: '' })
  })

  it.each([1, 'yes', {}])('is on or off, and not %o', async (rowLevelSecurity) => {
    const options = { rowLevelSecurity: rowLevelSecurity as boolean }
    const invalid = expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as Error
    await expect(openStore(created.url, options)).rejects.toEqual(invalid)
    expect(() => postgresStore(drizzle({ client: clientOf(created.url) }), options)).toThrow(invalid)
  })
})

it('a host with row-level security of its own sees its own rows beside a store', async () => {
  const db = drizzle({ client: clientOf(appUrl) })
  const store = postgresStore(db, { rowLevelSecurity: true })
  await db.transaction(async (tx) => {
    await tx.execute(sql`select set_config('host.tenant', 'acme', true)`)
    await store
      .withTransaction(tx)
      .conversation({ userId: 'ada', conversationId: 'host' })
      .append(turnOf('x'))
    const [row] = await tx.execute(sql`select current_setting('host.tenant', true) as tenant`)
    expect(row).toEqual({ tenant: 'acme' })
  })
})
