import { inspect } from 'node:util'
import { drizzle } from 'drizzle-orm/node-postgres'
import { pgTable, text } from 'drizzle-orm/pg-core'
import { Pool, types, type PoolConfig } from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { checkStore } from '../../src/conformance.ts'
import type { StoreOptions } from '../../src/index.ts'
import { postgresStore } from '../../src/postgres.ts'
import { answersOf } from '../drizzle-apps/answers.ts'
import { begin, expectedOf, expectTruth, METHODS, outcomeOf, storedIn } from '../support/faults/methods.ts'
import { startProxy, type Effect } from '../support/faults/proxy.ts'
import { gate, postgresHost, type PostgresHost } from '../support/hosts.ts'
import { turnOf } from '../support/inspect.ts'
import { createWalled } from '../support/roles.ts'

/** What the random input comes from. */
const SEED = 20_261_123

const notes = pgTable('notes', { id: text('id').primaryKey() })

/** What the app's own code throws. */
class AppError extends Error {}

/** On postgres.js; the others share its database. */
let app: PostgresHost
let expected: Awaited<ReturnType<typeof answersOf>>
beforeAll(async () => {
  app = await postgresHost()
  await app.client`create table notes (id text primary key)`
  await app.store.migrate()
  expected = await answersOf(app, app.store, 'postgres.js')
})
afterAll(() => app.close())

/** A pool of a test's own, and what stands on it. */
function open(url: string, settings: PoolConfig = {}, options?: StoreOptions) {
  const pool = new Pool({ connectionString: url, max: 4, ...settings })
  // As every app must: else the end of an idle connection is the end of the process.
  pool.on('error', () => {})
  onTestFinished(() => (pool.ended ? undefined : pool.end()))
  const db = drizzle({ client: pool })
  return { pool, db, store: postgresStore(db, options) }
}

describe('a store on node-postgres', () => {
  it('keeps its promises', async () => {
    await checkStore(open(app.url).store, { seed: SEED })
  })

  it('answers as on postgres.js, also where the app has bigints parsed as such, and leaves that so', async () => {
    const int8 = types.builtins.INT8
    const before = types.getTypeParser(int8)
    onTestFinished(() => types.setTypeParser(int8, before))
    types.setTypeParser(int8, BigInt)
    const { store, pool } = open(app.url)
    expect(await answersOf(app, store, 'pg')).toEqual(expected)
    const { rows } = await pool.query('select 1::bigint as one, now() as now')
    expect(rows).toEqual([{ one: 1n, now: expect.any(Date) as Date }])
  })

  it('commits a turn with the row of the app or neither, in inner transactions too', async () => {
    const { db, store } = open(app.url)
    const key = { userId: 'with a row', conversationId: 'c' }
    const save = async (tx: Parameters<typeof store.withTransaction>[0], id: string) => {
      await tx.insert(notes).values({ id })
      await store.withTransaction(tx).conversation(key).append(turnOf(id))
    }
    await db.transaction(async (outer) => {
      await save(outer, 'kept')
      const undone = outer.transaction(async (inner) => {
        await save(inner, 'undone')
        throw new AppError()
      })
      await expect(undone).rejects.toBeInstanceOf(AppError)
    })
    const undone = db.transaction(async (tx) => {
      await save(tx, 'undone')
      throw new AppError()
    })
    await expect(undone).rejects.toBeInstanceOf(AppError)
    expect(await db.select().from(notes)).toEqual([{ id: 'kept' }])
    expect((await storedIn(app, app.store, key)).turns).toMatchObject([{ position: 1, content: 'kept' }])
  })

  it('leaves no statement under a name on a connection of the app, which a pooler would mix up', async () => {
    const { pool, store } = open(app.url, { max: 1 })
    await begin(store, keyOf('unnamed'))
    expect((await store.conversation(keyOf('unnamed')).loadWindow({ maxTokens: 1000 })).turns).toHaveLength(2)
    expect((await pool.query('select name from pg_prepared_statements')).rows).toEqual([])
  })

  it('keeps users apart by row-level security', async () => {
    const walled = await createWalled()
    const { pool, db, store } = open(walled.app.urlOf(walled.url))
    const itsUsers = postgresStore(db, { rowLevelSecurity: true })
    expect(await answersOf(walled, itsUsers, 'walled')).toEqual(expected)
    await expect(store.listConversations('ada')).rejects.toMatchObject({ code: 'ROW_LEVEL_SECURITY' })
    await pool.end()
    await walled.drop()
  })
})

describe('a failure of node-postgres', () => {
  const tried = METHODS.filter(({ name }) => ['append', 'append with a key', 'loadWindow'].includes(name))

  it.each(tried)('leaves all or nothing wherever the connection is cut: $name', async (method) => {
    await using proxy = await startProxy(app.url)
    const { store } = open(proxy.url, { max: 1 })
    await store.examine()
    const uncut = await expectedOf(app, app.store, method, keyOf(`uncut ${method.name}`))
    const codes = new Set<string>()
    for (const of of ['client', 'server'] as const) {
      for (let at = 1, struck = 1; struck > 0; at++) {
        const key = keyOf(`${method.name} ${of} ${at}`)
        await begin(app.store, key)
        const fault = proxy.inject({ of, at, effect: 'cut after' })
        const outcome = await outcomeOf(method.call(store, key))
        await proxy.quiet()
        await proxy.heal()
        expectTruth(outcome, await storedIn(app, app.store, key), uncut)
        codes.add(outcome.code)
        struck = fault.struck
      }
    }
    expect([...codes].toSorted()).toEqual(method.effect === 'once' ? ['OUTCOME_UNKNOWN', 'ok'] : ['ok'])
  })

  const codes: readonly (readonly [effect: Exclude<Effect, string>, code: string])[] = [
    // A unique key, a deadlock, a serialization failure: tried again.
    [{ sqlstate: '23505' }, 'ok'],
    [{ sqlstate: '40P01' }, 'ok'],
    [{ sqlstate: '40001' }, 'ok'],
    [{ sqlstate: '57P01', fatal: true }, 'OUTCOME_UNKNOWN'],
    [{ sqlstate: '42P01' }, 'NOT_MIGRATED'],
    [{ sqlstate: '42501' }, 'DATABASE_ERROR'],
  ]
  it.each(codes)('is told by its SQLSTATE: %o is %s', async (effect, code) => {
    await using proxy = await startProxy(app.url)
    const { store } = open(proxy.url, { max: 1 })
    await store.examine()
    const fault = proxy.inject({ of: 'statement', at: 1, effect })
    const key = keyOf(effect.sqlstate)
    const outcome = await outcomeOf(store.conversation(key).append(turnOf('one')))
    expect(fault.struck).toBe(1)
    expect(outcome).toMatchObject({ code, cause: code === 'ok' ? undefined : effect.sqlstate })
    expect((await storedIn(app, app.store, key)).turns).toHaveLength(code === 'ok' ? 1 : 0)
  })

  it('that has no code is told by what it says: no answer in time leaves a write in doubt', async () => {
    const key = keyOf('slow')
    await app.store.conversation(key).append(turnOf('one'))
    const { store } = open(app.url, { query_timeout: 300 })
    await store.examine()
    const [held, release] = [gate(), gate()]
    const holder = app.db.transaction(async (tx) => {
      await app.store.withTransaction(tx).conversation(key).append(turnOf('two'))
      held.open()
      await release.opened
    })
    await held.opened
    const append = store.conversation(key).append(turnOf('three'))
    await expect(append).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN', cause: { name: 'Error' } })
    release.open()
    await holder
  })

  it('that has no code is told by what it says: without a connection nothing was written', async () => {
    const busy = open(app.url, { max: 1 }, { deadlineMs: 1000 })
    const taken = await busy.pool.connect()
    busy.pool.options.connectionTimeoutMillis = 20
    const ended = open(app.url, {}, { deadlineMs: 1000 })
    await ended.pool.end()
    const append = async ({ store }: typeof busy) =>
      outcomeOf(store.conversation(keyOf('nobody')).append(turnOf('one')))
    // The driver's error has no code of its own.
    const unavailable = { code: 'DATABASE_UNAVAILABLE', cause: undefined }
    expect(await Promise.all([busy, ended].map(append))).toMatchObject([unavailable, unavailable])
    taken.release()
  })

  it('or of what else the app has drizzle call leaves a write in doubt, and what it says is not told', async () => {
    let isBroken = false
    const logQuery = () => {
      if (isBroken) throw new RangeError('canary')
    }
    const store = postgresStore(drizzle({ client: open(app.url).pool, logger: { logQuery } }))
    await store.examine()
    isBroken = true
    const error: unknown = await store
      .conversation(keyOf('logged'))
      .append(turnOf('one'))
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'OUTCOME_UNKNOWN', cause: { name: 'RangeError', code: undefined } })
    expect(inspect(error)).not.toContain('canary')
  })
})

function keyOf(userId: string) {
  return { userId, conversationId: 'c' }
}
