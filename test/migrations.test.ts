import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { openStore, type Conversation, type ConversationStore } from '../src/index.ts'
import { onEachDatabase } from './support/databases.ts'
import {
  gate,
  postgresHost,
  sqliteHost,
  untilWaiting,
  type PostgresHost,
  type SqliteHost,
} from './support/hosts.ts'
import { expectConsistent, oneTo, runSql, turnOf } from './support/inspect.ts'
import type { MigratorOptions } from './support/processes/migrator.ts'
import { startTogether } from './support/processes/start.ts'

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url))

onEachDatabase('a new database', (database) => {
  it('may be opened by eight processes at once, and each of them can use it', async () => {
    const programs = await startTogether(
      'migrator',
      oneTo(8).map((process): MigratorOptions => ({
        url: database.url,
        conversationId: `process ${process}`,
      })),
    )
    const printed = await Promise.all(programs.map((program) => program.rest()))
    for (const program of programs) expect(await program.ended()).toBe(0)
    expect(printed).toEqual(oneTo(8).map(() => [{ position: 1 }]))
    expect(await runSql(database, 'select name from backscroll_migrations')).toEqual([
      { name: '0000_first' },
      { name: '0001_operations' },
    ])
  })
})

onEachDatabase('a new database in one process', (database) => {
  it('may be opened many times at once', async () => {
    const stores = await Promise.all(oneTo(8).map(() => database.open()))
    for (const [index, store] of stores.entries()) {
      const conversation = store.conversation({ userId: 'ada', conversationId: 'c' })
      expect(await conversation.append(turnOf('hi'))).toMatchObject({ position: index + 1 })
    }
  })
})

onEachDatabase('a database that is up to date', (database) => {
  it('is not changed by another migration', async () => {
    const store = await database.open()
    const key = { userId: 'ada', conversationId: 'c' }
    await store.conversation(key).append(turnOf('hi'))
    const before = await runSql(database, 'select * from backscroll_migrations')
    await store.migrate()
    await (await database.open()).migrate()
    expect(await runSql(database, 'select * from backscroll_migrations')).toEqual(before)
    expect(before).toHaveLength(2)
    expect(await expectConsistent(database, key)).toHaveLength(1)
  })
})

describe('a file of somebody else', () => {
  const folder = mkdtempSync(join(tmpdir(), 'backscroll-file-'))
  const path = join(folder, 'other.db')
  const other = { name: 'sqlite', url: `sqlite:${path}` } as const
  afterAll(() => rmSync(folder, { recursive: true }))

  it('is left as it is when it is opened without a migration, and gets a write-ahead log with one', async () => {
    await runSql(other, 'create table notes (text)')
    const before = readFileSync(path)
    await using store = await openStore(other.url, { migrate: false })
    await expect(store.listConversations('ada')).rejects.toMatchObject({ code: 'NOT_MIGRATED' })
    expect(readFileSync(path).equals(before)).toBe(true)
    expect(readdirSync(folder)).toEqual(['other.db'])

    await store.migrate()
    expect(await store.listConversations('ada')).toEqual([])
    expect(await runSql(other, 'pragma journal_mode')).toEqual([{ journal_mode: 'wal' }])
    expect(await runSql(other, 'select * from notes')).toEqual([])
  })
})

onEachDatabase('a database that nobody migrated', (database) => {
  const calls: Record<string, (conversation: Conversation, store: ConversationStore) => Promise<unknown>> = {
    append: (conversation) => conversation.append(turnOf('hi')),
    loadWindow: (conversation) => conversation.loadWindow({ maxTokens: 10 }),
    listTurns: (conversation) => conversation.listTurns(),
    'listTurns before': (conversation) => conversation.listTurns({ before: 5 }),
    rewind: (conversation) => conversation.rewind({ to: 0 }),
    clear: (conversation) => conversation.clear(),
    recount: (conversation) => conversation.recount(),
    setMetadata: (conversation) => conversation.setMetadata({ a: 1 }),
    listConversations: (_, store) => store.listConversations('ada'),
    forgetUser: (_, store) => store.forgetUser('ada'),
  }

  it.each(Object.entries(calls))('says so: %s', async (_, call) => {
    const store = await database.open({ migrate: false })
    const conversation = store.conversation({ userId: 'ada', conversationId: 'c' })
    await expect(call(conversation, store)).rejects.toMatchObject({ code: 'NOT_MIGRATED' })
  })

  it('works once its store has migrated it, also for a store that was refused before', async () => {
    const store = await database.open({ migrate: false })
    const conversation = store.conversation({ userId: 'ada', conversationId: 'c' })
    await expect(conversation.append(turnOf('hi'))).rejects.toMatchObject({ code: 'NOT_MIGRATED' })
    await store.migrate()
    expect(await conversation.append(turnOf('hi'))).toMatchObject({ position: 1 })
    expect(await conversation.loadWindow({ maxTokens: 100 })).toMatchObject({ omittedTurns: 0 })
  })
})

describe('the tables on sqlite', () => {
  it('are strict, and hold the keys and indexes that isolate one user from another', async () => {
    await using host = sqliteHost()
    await host.store.migrate()
    const read = (text: string) => host.client.prepare(text).all() as Record<string, unknown>[]
    const tables = read(
      `select name, strict, wr from pragma_table_list where name like 'backscroll%' order by name`,
    )
    expect(tables).toEqual([
      { name: 'backscroll_conversations', strict: 1, wr: 0 },
      { name: 'backscroll_migrations', strict: 1, wr: 0 },
      { name: 'backscroll_operations', strict: 1, wr: 0 },
      { name: 'backscroll_turns', strict: 1, wr: 0 },
    ])
    const keys = read(
      `select t.name as "table", i."unique" as uniq, i.origin, group_concat(c.name) as columns
       from pragma_table_list as t, pragma_index_list(t.name) as i, pragma_index_info(i.name) as c
       where t.name like 'backscroll%' and t.name <> 'backscroll_migrations'
       group by i.name order by t.name, columns`,
    )
    expect(keys).toEqual([
      { table: 'backscroll_conversations', uniq: 1, origin: 'pk', columns: 'user_id,id' },
      { table: 'backscroll_operations', uniq: 1, origin: 'pk', columns: 'user_id,conversation_id,id' },
      {
        table: 'backscroll_operations',
        uniq: 0,
        origin: 'c',
        columns: 'user_id,conversation_id,position',
      },
      {
        table: 'backscroll_turns',
        uniq: 0,
        origin: 'c',
        columns: 'user_id,conversation_id,cumulative_tokens,position',
      },
      { table: 'backscroll_turns', uniq: 1, origin: 'c', columns: 'user_id,conversation_id,idempotency_key' },
      { table: 'backscroll_turns', uniq: 1, origin: 'pk', columns: 'user_id,conversation_id,position' },
    ])
    for (const table of ['backscroll_turns', 'backscroll_operations']) {
      expect(
        read(`select "table", "from", "to", on_delete from pragma_foreign_key_list('${table}') order by seq`),
      ).toEqual([
        { table: 'backscroll_conversations', from: 'user_id', to: 'user_id', on_delete: 'CASCADE' },
        { table: 'backscroll_conversations', from: 'conversation_id', to: 'id', on_delete: 'CASCADE' },
      ])
    }
  })
})

describe('the tables on postgres', () => {
  it('hold the keys and indexes that isolate one user from another', async () => {
    await using host = await postgresHost()
    await host.store.migrate()
    const constraints = await host.client`
      select conrelid::regclass::text as "table", pg_get_constraintdef(oid) as definition from pg_constraint
      where conrelid::regclass::text like 'backscroll%' and contype in ('p', 'u', 'f', 'c')
      order by 1, 2`
    expect(constraints.map(({ table, definition }) => `${table}: ${definition}`)).toEqual([
      'backscroll_conversations: PRIMARY KEY (user_id, id)',
      'backscroll_migrations: PRIMARY KEY (name)',
      'backscroll_operations: FOREIGN KEY (user_id, conversation_id) REFERENCES backscroll_conversations(user_id, id) ON DELETE CASCADE',
      'backscroll_operations: PRIMARY KEY (user_id, conversation_id, id)',
      'backscroll_turns: CHECK (((token_count > 0) AND (closing_token_count > 0)))',
      'backscroll_turns: FOREIGN KEY (user_id, conversation_id) REFERENCES backscroll_conversations(user_id, id) ON DELETE CASCADE',
      'backscroll_turns: PRIMARY KEY (user_id, conversation_id, "position")',
    ])
    const [index] = await host.client`
      select indexdef from pg_indexes where indexname = 'backscroll_turns_cumulative_tokens'`
    expect(index?.['indexdef']).toContain('(user_id, conversation_id, cumulative_tokens, "position")')
  })

  it('are made once by two who come at the same moment: the second finds nothing to do', async () => {
    await using host = await postgresHost()
    const migrated = gate()
    const release = gate()
    const first = host.db.transaction(async (tx) => {
      await host.store.withTransaction(tx).migrate()
      migrated.open()
      await release.opened
    })
    await migrated.opened
    const second = host.store.migrate()
    await untilWaiting(host)
    release.open()
    await Promise.all([first, second])
    expect(await host.client`select name from backscroll_migrations`).toHaveLength(2)
  })

  it('are made in the schema that the role works in, without any right on another', async () => {
    await using host = await postgresHost()
    const role = `app_${randomBytes(6).toString('hex')}`
    const password = randomBytes(6).toString('hex')
    await host.client.unsafe(`
      create role ${role} login password '${password}';
      create schema app authorization ${role};
      alter role ${role} in database ${new URL(host.url).pathname.slice(1)} set search_path = app;
      revoke all on schema public from public`)
    const url = new URL(host.url)
    url.username = role
    url.password = password

    const store = await openStore(url.href)
    const conversation = store.conversation({ userId: 'ada', conversationId: 'c' })
    await conversation.append(turnOf('one'), { idempotencyKey: 'k' })
    await conversation.append(turnOf('two'))
    await conversation.rewind({ to: 1 })
    await conversation.recount({ encoding: 'cl100k_base' })
    await conversation.setMetadata({ a: 1 })
    expect((await conversation.loadWindow({ maxTokens: 100 })).turns).toHaveLength(1)
    expect(await store.listConversations('ada')).toHaveLength(1)
    expect(await store.forgetUser('ada')).toEqual({ conversations: 1, turns: 1 })
    await store.migrate()
    await store.close()

    const tables = await host.client`select schemaname from pg_tables where tablename like 'backscroll%'`
    expect(tables.map(({ schemaname }) => schemaname as string)).toEqual(['app', 'app', 'app', 'app'])
    await host.client.unsafe(`drop owned by ${role} cascade; drop role ${role}`)
  })

  it('cannot be made by a role without the right to: an error, and no connection stays open', async () => {
    await using host = await postgresHost()
    const role = `guest_${randomBytes(6).toString('hex')}`
    const password = randomBytes(6).toString('hex')
    await host.client.unsafe(`create role ${role} login password '${password}'`)
    const url = new URL(host.url)
    url.username = role
    url.password = password
    await expect(openStore(url.href)).rejects.toMatchObject({
      code: 'DATABASE_ERROR',
      cause: { code: '42501' },
    })
    // The server needs a moment to notice; a connection that is kept stays for good.
    await expect
      .poll(() => host.client`select pid from pg_stat_activity where usename = ${role}`, { timeout: 20_000 })
      .toHaveLength(0)
    await host.client.unsafe(`drop role ${role}`)
  })
})

describe.each([
  { name: 'sqlite', open: async () => sqliteHost() },
  { name: 'postgres', open: () => postgresHost() },
])('beside the tables of a host on $name', ({ open }) => {
  const run = (host: SqliteHost | PostgresHost, text: string) => runSql(host, text)

  it('ours are made, and the rows of the host are left alone', async () => {
    await using host = await open()
    await run(host, 'create table conversations (user_id text, id text)')
    await run(host, 'create table turns (user_id text)')
    await run(host, `insert into conversations values ('ada', 'mine')`)
    await run(host, `insert into turns values ('ada')`)
    await host.store.migrate()
    await host.store.conversation({ userId: 'ada', conversationId: 'c' }).append(turnOf('hi'))
    expect(await host.store.forgetUser('ada')).toEqual({ conversations: 1, turns: 1 })
    expect(await run(host, 'select * from conversations')).toEqual([{ user_id: 'ada', id: 'mine' }])
    expect(await run(host, 'select * from turns')).toEqual([{ user_id: 'ada' }])
  })

  it('none is made when one of them cannot be', async () => {
    await using host = await open()
    await run(host, 'create table backscroll_turns (mine integer)')
    await expect(host.store.migrate()).rejects.toMatchObject({ code: 'DATABASE_ERROR' })
    const catalog =
      host.name === 'sqlite'
        ? `select name from sqlite_master where type = 'table' and name like 'backscroll%'`
        : `select tablename as name from pg_tables where tablename like 'backscroll%'`
    expect(await run(host, catalog)).toEqual([{ name: 'backscroll_turns' }])

    // Once what stood in the way is gone, the same store makes them.
    await run(host, 'drop table backscroll_turns')
    await host.store.migrate()
    const conversation = host.store.conversation({ userId: 'ada', conversationId: 'c' })
    expect(await conversation.append(turnOf('hi'))).toMatchObject({ position: 1 })
  })
})

describe.each(['sqlite', 'postgres'])('the migrations of %s', (dialect) => {
  it('are all that the schema asks for: drizzle-kit finds nothing to generate', async () => {
    const copy = mkdtempSync(join(tmpdir(), 'backscroll-migrations-'))
    onTestFinished(() => rmSync(copy, { recursive: true, force: true }))
    cpSync(join(REPOSITORY, 'migrations', dialect), copy, { recursive: true })
    const before = contentsOf(copy)
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        'node_modules/drizzle-kit/bin.cjs',
        'generate',
        `--dialect=${dialect === 'postgres' ? 'postgresql' : dialect}`,
        `--schema=./src/dialect/${dialect}/schema.ts`,
        // It puts "./" before the folder, whatever that is.
        `--out=${relative(REPOSITORY, copy)}`,
      ],
      { cwd: REPOSITORY },
    )
    expect(stdout).toContain('No schema changes, nothing to migrate')
    expect(contentsOf(copy)).toEqual(before)
  })
})

function contentsOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  )
  return Object.fromEntries(
    files.map(({ parentPath, name }) => [
      join(parentPath, name),
      readFileSync(join(parentPath, name), 'utf8'),
    ]),
  )
}
