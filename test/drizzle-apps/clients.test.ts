import Sqlite from 'better-sqlite3'
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3'
import { integer, pgTable, timestamp, bigint } from 'drizzle-orm/pg-core'
import { drizzle as drizzlePostgres } from 'drizzle-orm/postgres-js'
import { integer as sqliteInteger, sqliteTable } from 'drizzle-orm/sqlite-core'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { postgresStore } from '../../src/postgres.ts'
import { sqliteStore } from '../../src/sqlite.ts'
import { postgresHost, sqliteHost, type PostgresHost } from '../support/hosts.ts'
import { createWalled, type WalledDatabase } from '../support/roles.ts'
import { answersOf } from './answers.ts'

/** How apps set up postgres.js. */
const CLIENTS: Readonly<Record<string, postgres.Options<Record<string, postgres.PostgresType>>>> = {
  'names in camel case, bigints and days of its own': {
    transform: postgres.camel,
    types: {
      bigint: postgres.BigInt,
      day: { to: 1082, from: [1082], serialize: String, parse: (text: string) => ({ day: text }) },
    },
  },
  'names in pascal case, null for undefined, and one connection': {
    transform: { ...postgres.pascal, undefined: null },
    max: 1,
  },
}

describe('a store on a client of postgres.js with', () => {
  let app: PostgresHost
  let expected: Record<string, unknown>
  let walled: WalledDatabase
  beforeAll(async () => {
    app = await postgresHost()
    await app.store.migrate()
    expected = await answersOf(app, app.store, 'plain')
    walled = await createWalled()
  })
  afterAll(async () => {
    await app.close()
    await walled.drop()
  })

  function open(url: string, name: string) {
    const client = postgres(url, { max: 4, onnotice: () => {}, ...CLIENTS[name] })
    onTestFinished(() => client.end({ timeout: 1 }))
    return { client, db: drizzlePostgres({ client, casing: 'snake_case', logger: { logQuery: () => {} } }) }
  }

  it.each(Object.keys(CLIENTS))('%s answers as on any other, and leaves it as it was', async (name) => {
    const { client, db } = open(app.url, name)
    const sizes = pgTable('sizes', {
      atMost: bigint({ mode: 'number' }),
      countOf: integer(),
      madeAt: timestamp(),
    })
    await client`create table if not exists sizes (at_most bigint, count_of int, made_at timestamp)`
    await client`insert into sizes values (${2 ** 40}, 7, '2026-01-02 03:04:05')`
    const own = async () => [
      await client`select at_most, count_of, made_at, date '2026-01-02' as on_day, '{"a_b":1}'::json as as_json from sizes`,
      await db.select().from(sizes),
    ]
    const before = await own()

    const warnings: unknown[] = []
    const store = postgresStore(db, { onWarning: (warning) => void warnings.push(warning) })
    await store.migrate()
    expect(await answersOf(app, store, name)).toEqual(expected)
    expect(warnings).toEqual([])
    expect(await own()).toEqual(before)
    await client`delete from sizes`
  })

  it.each(Object.keys(CLIENTS))('%s keeps users apart by row-level security', async (name) => {
    const { db } = open(walled.app.urlOf(walled.url), name)
    const store = postgresStore(db, { rowLevelSecurity: true })
    expect(await answersOf(walled, store, name)).toEqual(expected)
    await expect(postgresStore(db).listConversations('ada')).rejects.toMatchObject({
      code: 'ROW_LEVEL_SECURITY',
    })
    const owner = postgresStore(open(walled.owner.urlOf(walled.url), name).db, { rowLevelSecurity: true })
    await expect(owner.listConversations('ada')).rejects.toMatchObject({ code: 'ROW_LEVEL_SECURITY' })
  })
})

describe('a store on a client of better-sqlite3 that gives bigints', () => {
  it('answers as on any other, and leaves it as it was', async () => {
    await using app = sqliteHost()
    await app.store.migrate()
    const expected = await answersOf(app, app.store, 'plain')
    const client = new Sqlite(app.url.slice('sqlite:'.length))
    onTestFinished(() => void client.close())
    client.defaultSafeIntegers(true)
    client.pragma('synchronous = full')
    client.exec('create table sizes (at_most integer)')
    client.prepare('insert into sizes values (?)').run(2n ** 60n)
    const db = drizzleSqlite({ client, casing: 'snake_case', logger: { logQuery: () => {} } })
    const own = () => [
      client.prepare('select * from sizes').all(),
      db
        .select()
        .from(sqliteTable('sizes', { atMost: sqliteInteger() }))
        .all(),
    ]
    const before = own()
    expect(before[0]).toEqual([{ at_most: 2n ** 60n }])

    const store = sqliteStore(db)
    await store.migrate()
    expect(await answersOf(app, store, 'bigints')).toEqual(expected)
    const conversation = store.conversation({ userId: 'ada', conversationId: 'c' })
    expect(conversation.appendSync([{ role: 'user', content: 'now' }])).toMatchObject({ position: 1 })
    expect(conversation.loadWindowSync({ maxTokens: 100 }).turns).toHaveLength(1)
    expect(own()).toEqual(before)
  })

  it('makes its tables on it', async () => {
    const client = new Sqlite(':memory:')
    onTestFinished(() => void client.close())
    client.defaultSafeIntegers(true)
    const store = sqliteStore(drizzleSqlite({ client }))
    await store.migrate()
    await store.migrate()
    expect(await store.listConversations('ada')).toEqual([])
  })
})
