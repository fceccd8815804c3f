import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore } from '../src/index.ts'
import {
  begin,
  expectedOf,
  expectTruth,
  METHODS,
  outcomeOf,
  storedIn,
  type Expected,
  type Method,
  type Outcome,
} from './support/faults/methods.ts'
import { createTarget, openOnHost, openOwn, type Target } from './support/faults/postgres.ts'
import { startProxy, type Fault, type Injection } from './support/faults/proxy.ts'
import { Tally } from './support/faults/tally.ts'
import { expectConsistent, oneTo } from './support/inspect.ts'

let database: Target
const tally = new Tally('postgres, stalled connections')

beforeAll(async () => void (database = await createTarget()))
afterAll(async () => {
  await database.drop()
  tally.print()
})

describe('a connection that says no more', () => {
  const methods = METHODS.filter(({ name }) => ['append', 'append with a key', 'loadWindow'].includes(name))

  it.concurrent.each(methods)(
    'ends $name at its deadline, whichever message it withholds',
    async (method) => {
      const lane = `stalled ${method.name}`
      const expected = await expectedOf(database, database.direct, method, {
        userId: lane,
        conversationId: 'c',
      })
      const messages = await messagesOf(method, lane)
      expect(messages.length).toBeGreaterThan(10)
      await Promise.all(
        messages.map(async (message) => {
          const fault = { ...message, effect: 'stall' } as const
          const userId = `${lane} ${message.of} ${message.at}`
          const outcome = await outcomeOfStalled(method, { userId, fault, expected, deadlineMs: 2000 })
          expect(outcome.code).toBe(method.effect === 'read' ? 'DATABASE_UNAVAILABLE' : 'OUTCOME_UNKNOWN')
        }),
      )
    },
  )

  it('is left for another by a store that opened it, whose next calls go through', async () => {
    const key = { userId: 'left behind', conversationId: 'c' }
    await using proxy = await startProxy(database.url)
    await using store = await openStore(proxy.url, { maxConnections: 3, deadlineMs: 2000, migrate: false })
    const append = (name: string) =>
      store.conversation(key).append([{ role: 'user', content: name }], { idempotencyKey: name })
    await Promise.all(['one', 'two', 'three'].map(append))
    const injected = proxy.inject({ of: 'client', at: 1, times: Infinity, effect: 'stall' })
    const stalled = await Promise.allSettled(['four', 'five', 'six', 'seven'].map(append))
    expect(stalled).toEqual(Array(4).fill(expect.objectContaining({ status: 'rejected' })))
    expect(injected.struck).toBeGreaterThan(2)
    // From now on new connections work; those from before stay silent.
    await proxy.heal()
    for (const name of ['four', 'five', 'six', 'seven']) await append(name)
    expect(await expectConsistent(database, key)).toHaveLength(7)
  })

  it('ends a call that may take thirty times as long as well', async () => {
    const rewind = METHODS.find(({ name }) => name === 'rewind')!
    const key = { userId: 'stalled rewind', conversationId: 'c' }
    const expected = await expectedOf(database, database.direct, rewind, key)
    const fault = { of: 'server', at: 1, effect: 'stall' } as const
    const outcome = await outcomeOfStalled(rewind, { userId: 'rewound', fault, expected, deadlineMs: 100 })
    expect(outcome.code).toBe('OUTCOME_UNKNOWN')
  })

  /** The messages of a call to which nothing happens. */
  async function messagesOf({ call }: Method, lane: string): Promise<Pick<Fault, 'of' | 'at'>[]> {
    const key = { userId: `${lane} counted`, conversationId: 'c' }
    await begin(database.direct, key)
    await using proxy = await startProxy(database.url)
    await using opened = await openOnHost(proxy.url)
    await proxy.heal()
    await call(opened.store, key)
    return (['client', 'server'] as const).flatMap((of) => oneTo(proxy.seen[of]).map((at) => ({ of, at })))
  }

  async function outcomeOfStalled({ call }: Method, stalled: Stalled): Promise<Outcome> {
    const { userId, fault, expected, deadlineMs } = stalled
    const key = { userId, conversationId: 'c' }
    await begin(database.direct, key)
    await using proxy = await startProxy(database.url)
    let outcome: Outcome
    let injected: Injection
    {
      await using opened = await openOnHost(proxy.url, deadlineMs)
      injected = proxy.inject(fault)
      const late = setTimeout(
        LONGEST_MS,
        { code: 'LATE', cause: undefined, value: undefined },
        { ref: false },
      )
      outcome = await Promise.race([outcomeOf(call(opened.store, key)), late])
    }
    await proxy.quiet()
    expect(injected.struck).toBe(1)
    expectTruth(outcome, await storedIn(database, database.direct, key), expected)
    tally.count(1, outcome)
    return outcome
  }
})

/** Well above every deadline here. */
const LONGEST_MS = 12_000

interface Stalled {
  readonly userId: string
  readonly fault: Fault
  readonly expected: Expected
  readonly deadlineMs: number
}

describe('an answer that arrives byte by byte', () => {
  it.each(METHODS)('is read whole by $name', async (method) => {
    const { direct } = database
    const lane = `bytewise ${method.name}`
    const expected = await expectedOf(database, direct, method, { userId: lane, conversationId: 'c' })
    const key = { userId: `${lane} slow`, conversationId: 'c' }
    await begin(direct, key)
    const value = method.effect === 'read' ? await method.call(direct, key) : undefined
    await using proxy = await startProxy(database.url)
    await using opened = await openOwn(proxy.url)
    proxy.deliverBytewise()
    const outcome = await outcomeOf(method.call(opened.store, key))
    expect(outcome.code).toBe('ok')
    if (method.effect === 'read') expect(outcome.value).toEqual(value)
    expectTruth(outcome, await storedIn(database, direct, key), expected)
  })
})

describe('a server that refuses connections for a while', () => {
  it('makes every call wait for it, and doubles none', async () => {
    await using proxy = await startProxy(database.url)
    await using opened = await openOnHost(proxy.url, 30_000)
    const keys = METHODS.map(({ name }) => ({ userId: `refused ${name}`, conversationId: 'c' }))
    for (const key of keys) await begin(database.direct, key)
    proxy.refuse()
    proxy.cutAll()
    await proxy.quiet()
    const calls = Promise.all(METHODS.map((method, index) => method.call(opened.store, keys[index]!)))
    // Long enough for each to be refused; how often does not matter.
    await setTimeout(300)
    expect(proxy.seen.connections).toBe(1)
    await proxy.heal()
    await calls
    for (const [index, { name }] of METHODS.entries()) {
      const rows = await expectConsistent(database, keys[index]!)
      if (name.startsWith('append')) expect(rows.map(({ position }) => position)).toEqual([1, 2, 3])
    }
  })
})
