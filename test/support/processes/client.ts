import { openStore } from '../../../src/index.ts'
import { loadEncoder } from '../../../src/tokens/encoder.ts'
import { callAtRandom, Client } from '../history-client.ts'
import { randomFrom } from '../texts.ts'
import { options, print, ready } from './ready.ts'

/** What a process of clients is told: how many, how many calls each makes, and on which conversations. */
export interface ClientOptions {
  readonly url: string
  readonly userId: string
  readonly conversationIds: readonly string[]
  /** What the clients' names begin with. */
  readonly name: string
  readonly clients: number
  readonly calls: number
  readonly seed: number
}

/** Appends and loads at random, and prints the notes of a history. */
const { url, userId, conversationIds, name, clients, calls, seed } = options<ClientOptions>()
const store = await openStore(url, { deadlineMs: 60_000 })
await loadEncoder('o200k_base')
await ready()
await Promise.all(
  Array.from({ length: clients }, (_, index) => {
    const own = `${name}.${index}`
    const each = conversationIds.map(
      (conversationId) => new Client(own, store.conversation({ userId, conversationId }), print),
    )
    return callAtRandom(each, { name: own, calls, random: randomFrom(seed + index) })
  }),
)
await store.close()
