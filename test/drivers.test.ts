import { PGlite } from '@electric-sql/pglite'
import { createClient } from '@libsql/client'
import Sqlite from 'better-sqlite3'
import { drizzle as drizzleBetterSqlite } from 'drizzle-orm/better-sqlite3'
import { drizzle as drizzleD1 } from 'drizzle-orm/d1'
import { drizzle as drizzleDurable } from 'drizzle-orm/durable-sqlite'
import { drizzle as drizzleLibsql } from 'drizzle-orm/libsql'
import { drizzle as drizzleMysqlProxy } from 'drizzle-orm/mysql-proxy'
import { pgTable, text } from 'drizzle-orm/pg-core'
import { drizzle as drizzlePgProxy } from 'drizzle-orm/pg-proxy'
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite'
import { drizzle as drizzleSqlJs } from 'drizzle-orm/sql-js'
import { drizzle as drizzleSqliteProxy } from 'drizzle-orm/sqlite-proxy'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { checkStore } from '../src/conformance.ts'
import { postgresStore, type PostgresSession } from '../src/postgres.ts'
import { sqliteStore, type SqliteSession } from '../src/sqlite.ts'
import { createPostgres } from './support/databases.ts'
import { turnOf } from './support/inspect.ts'

/** What the random input comes from. */
const SEED = 20_261_123

const KEY = { userId: 'ada', conversationId: 'c' }

/** What the app's own code throws. */
class AppError extends Error {}

/** Takes a second or two to begin, so that all tests share it. */
const lite = drizzlePglite({ client: new PGlite() })

describe('a store on PGlite', () => {
  const notes = pgTable('notes', { id: text('id').primaryKey() })
  const store = postgresStore(lite, { onWarning: () => {} })
  beforeAll(async () => void (await lite.execute('create table notes (id text primary key)')))

  it('says that its tables are not there, and makes them', async () => {
    await expect(store.listConversations('ada')).rejects.toMatchObject({ code: 'NOT_MIGRATED' })
    await store.migrate()
    await store.migrate()
    expect(await store.listConversations('ada')).toEqual([])
  })

  it('warns that a crash may lose turns: it runs without fsync', async () => {
    const warnings: string[] = []
    await postgresStore(lite, { onWarning: ({ code }) => void warnings.push(code) }).examine()
    expect(warnings).toEqual(['WEAK_DURABILITY'])
  })

  it('keeps its promises', async () => {
    await checkStore(store, { seed: SEED })
  })

  it('commits a turn with the row of the app or neither, in inner transactions too', async () => {
    const save = async (tx: Parameters<typeof store.withTransaction>[0], id: string) => {
      await tx.insert(notes).values({ id })
      await store.withTransaction(tx).conversation(KEY).append(turnOf(id))
    }
    await lite.transaction(async (outer) => {
      await save(outer, 'kept')
      const undone = outer.transaction(async (inner) => {
        await save(inner, 'undone')
        throw new AppError()
      })
      await expect(undone).rejects.toBeInstanceOf(AppError)
    })
    expect(await lite.select().from(notes)).toEqual([{ id: 'kept' }])
    expect(await store.conversation(KEY).listTurns()).toMatchObject([
      { position: 1, messages: turnOf('kept') },
    ])
  })
})

describe('a store on a driver that sends one statement at a time, and has no transactions', () => {
  it('keeps its promises', async () => {
    const created = await createPostgres()
    const pool = new Pool({ connectionString: created.url, max: 4 })
    // A connection that is being ended still hears of the end of its database.
    pool.on('error', () => {})
    onTestFinished(async () => {
      await pool.end()
      await created.drop()
    })
    const db = drizzlePgProxy(async (statement, values: unknown[], method) => {
      // Extended: the protocol that takes no two statements in one text.
      const query = {
        text: statement,
        values,
        queryMode: 'extended',
        ...(method === 'all' && { rowMode: 'array' }),
      }
      const { rows } = await pool.query(query)
      return { rows }
    })
    const store = postgresStore(db)
    await store.migrate()
    await checkStore(store, { seed: SEED })
  })
})

describe('a store is refused, and it is said what it was to be made on,', () => {
  const never = () => Promise.reject(new Error('never called'))
  const libsql = createClient({ url: 'file::memory:' })
  const file = drizzleBetterSqlite({ client: new Sqlite(':memory:') })
  afterAll(() => {
    libsql.close()
    file.$client.close()
  })

  it.each([
    ["drizzle's LibSQLDatabase", () => drizzleLibsql({ client: libsql })],
    ["drizzle's D1Database", () => drizzleD1({} as never)],
    ["drizzle's SqliteRemoteDatabase", () => drizzleSqliteProxy(never)],
    ["drizzle's BaseSQLiteDatabase", () => drizzleSqlJs({} as never)],
    ["drizzle's DrizzleSqliteDODatabase", () => drizzleDurable({ sql: {} } as never)],
    ["drizzle's PgliteDatabase", () => lite],
    ['an object', () => file.$client],
  ])('on sqlite: %s', (got, make) => {
    expect(failureOf(() => sqliteStore(make() as unknown as SqliteSession))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `sqliteStore takes a drizzle database on better-sqlite3 (drizzle-orm/better-sqlite3); got ${got}.`,
    })
  })

  it.each([
    ["drizzle's BetterSQLite3Database", () => file],
    ["drizzle's LibSQLDatabase", () => drizzleLibsql({ client: libsql })],
    ["drizzle's MySqlRemoteDatabase", () => drizzleMysqlProxy(never)],
    ['an object', () => lite.$client],
  ])('on postgres: %s', (got, make) => {
    expect(failureOf(() => postgresStore(make() as unknown as PostgresSession))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `postgresStore takes a drizzle database on Postgres; got ${got}.`,
    })
  })

  it.each([
    ["drizzle's PgliteDatabase", () => lite],
    ["drizzle's PgRemoteDatabase", () => drizzlePgProxy(never)],
  ])('with row-level security, where the driver cannot name a user: %s', (got, make) => {
    expect(failureOf(() => postgresStore(make(), { rowLevelSecurity: true }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(`; got ${got}.`) as string,
    })
  })

  it('on a transaction: that goes to withTransaction', async () => {
    file.transaction((tx) => {
      expect(failureOf(() => sqliteStore(tx))).toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining("got drizzle's BetterSQLiteTransaction") as string,
      })
    })
    await lite.transaction(async (tx) => {
      expect(failureOf(() => postgresStore(tx))).toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining("got drizzle's PgliteTransaction") as string,
      })
    })
  })

  it('and so is a transaction of another driver', async () => {
    await drizzleLibsql({ client: libsql }).transaction(async (tx) => {
      expect(
        failureOf(() => sqliteStore(file).withTransaction(tx as unknown as SqliteSession)),
      ).toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining("got drizzle's LibSQLTransaction") as string,
      })
    })
  })
})

describe('a store on a PGlite that the app has closed', () => {
  it('says that nothing was written', async () => {
    const store = postgresStore(lite, { onWarning: () => {}, deadlineMs: 1000 })
    await lite.$client.close()
    const append = store.conversation(KEY).append(turnOf('one'))
    await expect(append).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE', cause: { name: 'Error' } })
  })
})

function failureOf(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}
