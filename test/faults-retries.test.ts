import type * as Timers from 'node:timers/promises'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { openStore, type ConversationStore, type OpenStoreOptions } from '../src/index.ts'
import { outcomeOf, type Key } from './support/faults/methods.ts'
import { startProxy, type PostgresProxy } from './support/faults/proxy.ts'
import { postgresHost, type PostgresHost } from './support/hosts.ts'
import { expectConsistent, turnOf } from './support/inspect.ts'

/** The pauses that the store made since the test began, in milliseconds. */
const pauses: number[] = []
vi.mock('node:timers/promises', async (original) => {
  const timers = await original<typeof Timers>()
  const pause = async (ms: number, value?: unknown, options?: { signal?: AbortSignal }) => {
    // The store is the only one that gives a value or a signal.
    if (options !== undefined) pauses.push(ms)
    return timers.setTimeout(ms, value, options)
  }
  return { ...timers, setTimeout: pause }
})

let host: PostgresHost
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
  pauses.length = 0
})

/** A store behind the proxy, whose one connection is there. */
async function openWarm(options?: OpenStoreOptions): Promise<ConversationStore> {
  const store = await openStore(proxy.url, { migrate: false, maxConnections: 1, ...options })
  onTestFinished(() => store.close())
  await store.conversation(key).countedAs()
  return store
}

const CALLS: Record<string, (store: ConversationStore) => Promise<unknown>> = {
  read: (store) => store.conversation(key).listTurns(),
  keyed: (store) => store.conversation(key).append(turnOf('one'), { idempotencyKey: 'k' }),
  keyless: (store) => store.conversation(key).append(turnOf('one')),
}

/** What is known not to have been applied and passes by itself. */
const PASSING = ['40001', '40P01', '55P03', '53300', '57P03', '25006', '23505', '23502', '21000', '26000']
/** What ends a connection, and leaves open what became of its statement. */
const AMBIGUOUS = [
  '57P01',
  '57P02',
  '57P05',
  '25P03',
  '25P04',
  '08000',
  '08003',
  '08006',
  '08007',
  '08P01',
  '40003',
]
/** What the same call would meet again. */
const LASTING = ['22021', '22P05', '22003', '23514', '42501', '54000', '57014', '53100', 'XX000']

describe('an error of the server that passes', () => {
  it.each(PASSING)('is met by another try, with a key or without: %s', async (sqlstate) => {
    const store = await openWarm()
    for (const call of Object.values(CALLS)) {
      proxy.inject({ of: 'statement', at: 1, times: 3, effect: { sqlstate } })
      await call(store)
      expect(proxy.seen.statement).toBe(4)
    }
    expect(await expectConsistent(host, key)).toHaveLength(2)
  })
})

describe('an error of the server that leaves open what it did', () => {
  it.each(AMBIGUOUS)('is met by another try only where that doubles nothing: %s', async (sqlstate) => {
    const store = await openWarm()
    const tries: Record<string, number> = {}
    for (const [name, call] of Object.entries(CALLS)) {
      proxy.inject({ of: 'statement', at: 1, effect: { sqlstate } })
      expect(await outcomeOf(call(store))).toMatchObject(
        name === 'keyless' ? { code: 'OUTCOME_UNKNOWN', cause: sqlstate } : { code: 'ok' },
      )
      tries[name] = proxy.seen.statement
    }
    expect(tries).toEqual({ read: 2, keyed: 2, keyless: 1 })
    expect(await expectConsistent(host, key)).toHaveLength(1)
  })

  it.each(AMBIGUOUS)(
    'that ends the connection in the place of an answer doubles nothing: %s',
    async (sqlstate) => {
      // Without names no answer is shorter than another.
      const store = await openWarm({ preparedStatements: false })
      await store.conversation(key).append(turnOf('zero'))
      for (const [name, call] of Object.entries(CALLS)) {
        // The statement is done, and its last message is lost.
        const fault = proxy.inject({ of: 'server', at: 7, effect: { sqlstate } })
        const { code } = await outcomeOf(call(store))
        expect(fault.struck).toBe(1)
        await proxy.quiet()
        await proxy.heal()
        expect(code).toBe(name === 'keyless' ? 'OUTCOME_UNKNOWN' : 'ok')
        // The driver keeps the error for the connection that takes the place of this one; no call may fail for it.
        await store.conversation(key).listTurns()
      }
      expect(await expectConsistent(host, key)).toHaveLength(3)
    },
  )
})

describe('an error of the server that lasts', () => {
  it.each(LASTING)('is told at the first try: %s', async (sqlstate) => {
    const store = await openWarm()
    for (const call of Object.values(CALLS)) {
      proxy.inject({ of: 'statement', at: 1, times: Infinity, effect: { sqlstate } })
      expect(await outcomeOf(call(store))).toMatchObject({ code: 'DATABASE_ERROR', cause: sqlstate })
      expect(proxy.seen.statement).toBe(1)
    }
    expect(await expectConsistent(host, key)).toEqual([])
  })
})

describe('trying again', () => {
  it('ends within the deadline, after jittered pauses below a bound that doubles up to 200 ms', async () => {
    const store = await openWarm({ deadlineMs: 2000 })
    for (const [name, call] of Object.entries(CALLS)) {
      pauses.length = 0
      proxy.inject({ of: 'statement', at: 1, times: Infinity, effect: { sqlstate: '40001' } })
      expect(await outcomeOf(call(store))).toMatchObject({ code: 'DATABASE_UNAVAILABLE', cause: '40001' })
      expect(pauses.length, name).toBeGreaterThanOrEqual(3)
      expect(proxy.seen.statement).toBe(pauses.length + 1)
      for (const [index, pause] of pauses.entries()) expect(pause).toBeLessThan(Math.min(5 * 2 ** index, 200))
      expect(new Set(pauses).size).toBe(pauses.length)
      expect(pauses.reduce((sum, pause) => sum + pause)).toBeLessThan(2000)
    }
    expect(await expectConsistent(host, key)).toEqual([])
  })

  it('leaves a call in doubt once one try may have been applied, whatever the last one says', async () => {
    const store = await openWarm({ deadlineMs: 1000 })
    const fault = proxy.inject({ of: 'client', at: 6, effect: 'cut after' })
    const call = outcomeOf(CALLS['keyed']!(store))
    while (fault.struck === 0) await setTimeout(1)
    proxy.inject({ of: 'statement', at: 1, times: Infinity, effect: { sqlstate: '55P03' } })
    expect((await call).code).toBe('OUTCOME_UNKNOWN')
    await proxy.heal()
    expect(await store.conversation(key).append(turnOf('one'), { idempotencyKey: 'k' })).toMatchObject({
      replayed: true,
      position: 1,
    })
  })

  it('connects again until the server takes connections', async () => {
    for (const sqlstate of ['57P03', '53300']) {
      await using store = await openStore(proxy.url, { migrate: false, maxConnections: 1 })
      const fault = proxy.inject({ of: 'client', at: 1, times: 4, effect: { sqlstate, fatal: true } })
      await store.conversation(key).append(turnOf('one'))
      expect(fault.struck).toBe(4)
    }
    expect(await expectConsistent(host, key)).toHaveLength(2)
  })
})
