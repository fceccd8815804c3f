import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore, type Conversation, type OpenStoreOptions } from '../src/index.ts'
import { createPostgres, type Created } from './support/databases.ts'
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
