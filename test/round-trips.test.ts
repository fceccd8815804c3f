import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore, type Conversation, type OpenStoreOptions } from '../src/index.ts'
import { createPostgres, type Created } from './support/databases.ts'
import { errorResponse } from './support/faults/wire.ts'
import { turnOf } from './support/inspect.ts'
import { tapWire, type WireTap } from './support/wire-tap.ts'

const CALLS: Readonly<Record<string, (conversation: Conversation, key: string) => Promise<unknown>>> = {
  append: (conversation) => conversation.append(turnOf('hi', 'whats up')),
  'append with a key': (conversation, key) =>
    conversation.append(turnOf('hi', 'whats up'), { idempotencyKey: key }),
  loadWindow: (conversation) => conversation.loadWindow({ maxTokens: 2000 }),
  listTurns: (conversation) => conversation.listTurns(),
}

describe('a call on postgres', () => {
  let database: Created
  let tap: WireTap
  beforeAll(async () => {
    database = await createPostgres()
    tap = await tapWire(database.url)
  })
  afterAll(async () => {
    await tap[Symbol.asyncDispose]()
    await database.drop()
  })

  async function roundTripsOf(call: (typeof CALLS)[string], options: OpenStoreOptions): Promise<number[]> {
    await using store = await openStore(tap.url, { maxConnections: 1, ...options })
    const conversation = store.conversation({ userId: 'ada', conversationId: 'c' })
    const counted: number[] = []
    // The first one also has the server plan the statement and tell its types.
    for (let index = 0; index < 4; index++) {
      tap.roundTrips()
      await call(conversation, `${JSON.stringify(options)} ${index}`)
      counted.push(tap.roundTrips())
    }
    return counted.slice(1)
  }

  it.each(Object.entries(CALLS))('is one round trip: %s', async (_, call) => {
    expect(await roundTripsOf(call, {})).toEqual([1, 1, 1])
  })

  it.each(Object.entries(CALLS))('is two without named statements: %s', async (_, call) => {
    expect(await roundTripsOf(call, { preparedStatements: false })).toEqual([2, 2, 2])
  })
})

describe('the connections of a pool on postgres', () => {
  let database: Created
  beforeAll(async () => void (database = await createPostgres()))
  afterAll(() => database.drop())

  /** Whether the last connection of a store that has made a few calls asks the server to keep its plans. */
  async function keepsPlans(tap: WireTap, options: OpenStoreOptions = {}, url = tap.url): Promise<boolean> {
    await using store = await openStore(url, { maxConnections: 1, ...options })
    const conversation = store.conversation({ userId: 'ada', conversationId: 'c' })
    const { position } = await conversation.append(turnOf('hi', 'whats up'))
    expect((await conversation.listTurns()).at(-1)).toMatchObject({ position })
    return tap.startups().at(-1)!.join('=').includes('plan_cache_mode=force_generic_plan')
  }

  it('have the server keep a plan for each statement', async () => {
    await using tap = await tapWire(database.url)
    expect(await keepsPlans(tap)).toBe(true)
    expect(await keepsPlans(tap, { migrate: false })).toBe(true)
    expect(await keepsPlans(tap, { preparedStatements: true })).toBe(true)
  })

  it('leave it at that where somebody has chosen otherwise', async () => {
    await using tap = await tapWire(database.url)
    expect(await keepsPlans(tap, { preparedStatements: false })).toBe(false)
    expect(await keepsPlans(tap, {}, `${tap.url}?plan_cache_mode=force_custom_plan`)).toBe(false)
  })

  it.each([
    ['an error', errorResponse({ sqlstate: '08P01', fatal: true })],
    ['nothing', Buffer.alloc(0)],
  ])('do without where the server answers that with %s', async (_, answer) => {
    await using tap = await tapWire(database.url, { setting: 'plan_cache_mode', answer })
    await using store = await openStore(tap.url)
    const conversation = store.conversation({ userId: 'ada', conversationId: crypto.randomUUID() })
    await conversation.append(turnOf('hi', 'whats up'))
    expect(tap.startups().some((startup) => startup.includes('plan_cache_mode'))).toBe(true)
    await conversation.append(turnOf('still there?', 'yes'))
    expect((await conversation.listTurns()).map(({ position }) => position)).toEqual([1, 2])
    // Nor does anything go on asking for it, once the pool that asked is closed.
    await setTimeout(1000)
    tap.startups()
    await setTimeout(100)
    expect(tap.startups().some((startup) => startup.includes('plan_cache_mode'))).toBe(false)
  })
})
