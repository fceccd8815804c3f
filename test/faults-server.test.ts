import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openStore, type ConversationStore, type OpenStoreOptions } from '../src/index.ts'
import { outcomeOf, type Key } from './support/faults/methods.ts'
import { startProxy, type PostgresProxy } from './support/faults/proxy.ts'
import { gate, postgresHost, untilWaiting, type PostgresHost } from './support/hosts.ts'
import { expectConsistent, oneTo, turnOf } from './support/inspect.ts'

let host: PostgresHost
/** Only counts how often the server is asked. */
let proxy: PostgresProxy
let user = 0
let key: Key

beforeAll(async () => {
  host = await postgresHost()
  await host.store.migrate()
  proxy = await startProxy(host.url)
})
afterAll(async () => {
  await proxy.close()
  await host.close()
})
beforeEach(async () => {
  await proxy.heal()
  key = { userId: `user ${++user}`, conversationId: 'c' }
})

const append = (store: ConversationStore, idempotencyKey?: string) =>
  store.conversation(key).append(turnOf('one'), { idempotencyKey })

describe('a real server', () => {
  /** Holds the row of the conversation until it is let go. */
  async function holdRow(): Promise<AsyncDisposable & { letGo(): Promise<void> }> {
    const locked = gate()
    const release = gate()
    const holding = host.client.begin(async (client) => {
      await client`select * from backscroll_conversations where user_id = ${key.userId} for update`
      locked.open()
      await release.opened
    })
    await locked.opened
    const letGo = async () => {
      release.open()
      await holding
    }
    return { letGo, [Symbol.asyncDispose]: letGo }
  }

  /** A store whose connections have a setting of the server's. */
  const openWith = async (settings: string, options?: OpenStoreOptions) => {
    const url = new URL(proxy.url)
    url.searchParams.set('options', settings)
    const store = await openStore(url.href, { migrate: false, ...options })
    // It looks at the database's settings before its first call; what is counted begins after that.
    await store.listConversations('nobody')
    await proxy.heal()
    return store
  }

  it('that finds a serialization failure gets the call again: 8 callers, one conversation', async () => {
    await using store = await openWith('-c default_transaction_isolation=serializable', {
      deadlineMs: 60_000,
    })
    await Promise.all(
      oneTo(8).map(async (caller) => {
        for (const turn of oneTo(10)) await store.conversation(key).append(turnOf(`${caller} ${turn}`))
      }),
    )
    const rows = await expectConsistent(host, key)
    expect(rows.map(({ position }) => position)).toEqual(oneTo(80))
    expect(new Set(rows.map(({ content }) => content)).size).toBe(80)
    // Some failed: the promise is not an empty one.
    expect(proxy.seen.statement).toBeGreaterThan(80)
  })

  it('that gives up waiting for a lock gets the call again, until its deadline', async () => {
    await host.store.conversation(key).append(turnOf('one'))
    await using held = await holdRow()
    await using hasty = await openWith('-c lock_timeout=20ms', { deadlineMs: 2000 })
    expect(await outcomeOf(append(hasty))).toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      cause: '55P03',
    })
    expect(proxy.seen.statement).toBeGreaterThan(1)
    await proxy.heal()
    await using patient = await openWith('-c lock_timeout=20ms', { deadlineMs: 60_000 })
    const called = append(patient)
    while (proxy.seen.statement < 3) await setTimeout(5)
    await held.letGo()
    expect(await called).toMatchObject({ position: 2 })
    expect(await expectConsistent(host, key)).toHaveLength(2)
  })

  it('that gives up a statement is not asked again', async () => {
    await host.store.conversation(key).append(turnOf('one'))
    await using held = await holdRow()
    await using store = await openWith('-c statement_timeout=100ms')
    for (const idempotencyKey of ['k', undefined]) {
      await proxy.heal()
      expect(await outcomeOf(append(store, idempotencyKey))).toMatchObject({
        code: 'DATABASE_ERROR',
        cause: '57014',
      })
      expect(proxy.seen.statement).toBe(1)
    }
    await held.letGo()
    expect(await expectConsistent(host, key)).toHaveLength(1)
  })

  it('that ends a deadlock by failing the call gets it again', async () => {
    for (const conversationId of ['a', 'b', 'c']) {
      await host.store.conversation({ ...key, conversationId }).append(turnOf('one'))
    }
    const lock = (id: string) =>
      sql`select * from backscroll_conversations where user_id = ${key.userId} and id = ${id} for update`
    const [firstHolds, secondHolds, firstEnds] = [gate(), gate(), gate()]
    // Erasing takes a, and waits for b, which the first host holds.
    const first = host.db.transaction(async (tx) => {
      await tx.execute(lock('b'))
      firstHolds.open()
      await firstEnds.opened
    })
    // The second one holds c, and waits for a. Its patience is such that it is the erasure that finds the deadlock.
    const erasing = gate()
    const second = host.db.transaction(async (tx) => {
      await tx.execute(sql`set local deadlock_timeout = '60s'`)
      await tx.execute(lock('c'))
      secondHolds.open()
      await erasing.opened
      await tx.execute(lock('a'))
    })
    await Promise.all([firstHolds.opened, secondHolds.opened])
    await using store = await openWith('-c deadlock_timeout=10ms')
    const erased = store.forgetUser(key.userId)
    await untilWaiting(host)
    erasing.open()
    await untilWaiting(host, 2)
    firstEnds.open()
    await Promise.all([first, second])
    expect(await erased).toEqual({ conversations: 3, turns: 3 })
    expect(proxy.seen.statement).toBe(2)
  })

  it('that has no connection left for the role gets the call again when it has one', async () => {
    const role = `limited_${randomBytes(6).toString('hex')}`
    await host.client.unsafe(`
      create role ${role} login password 'only for this test' connection limit 1;
      grant all on all tables in schema public to ${role}`)
    const url = new URL(proxy.url)
    url.username = role
    url.password = 'only for this test'
    const holder = await openStore(url.href, { migrate: false, maxConnections: 1 })
    await holder.conversation(key).append(turnOf('one'))
    await using store = await openStore(url.href, { migrate: false })
    await proxy.heal()
    const called = append(store)
    while (proxy.seen.connections < 3) await setTimeout(5)
    await holder.close()
    expect(await called).toMatchObject({ position: 2 })
    expect(await expectConsistent(host, key)).toHaveLength(2)
    await store.close()
    await host.client.unsafe(`drop owned by ${role}`)
    await host.client.unsafe(`drop role ${role}`)
  })
})
