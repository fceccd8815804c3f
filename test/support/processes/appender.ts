import { openStore } from '../../../src/index.ts'
import { Client } from '../history-client.ts'
import { randomFrom } from '../texts.ts'
import { options, print } from './ready.ts'

/** What an appender is told. */
export interface AppenderOptions {
  readonly url: string
  readonly userId: string
  readonly conversationIds: readonly string[]
  /** What its turns say: the name and a number. No other appender may have it. */
  readonly name: string
  /** Each turn under an idempotency key, and again until it is stored. */
  readonly keyed: boolean
  /** Turns of one who was killed, by conversation and content: they are appended again, under the same keys. */
  readonly again: readonly (readonly [conversationId: string, content: string])[]
  /** Tokens that it loads after every tenth append. */
  readonly window: number
  readonly deadlineMs: number
  readonly seed: number
}

/** Appends turns until its input ends, and prints the notes of a history: what it printed as stored is there for ever. */
const { url, userId, conversationIds, name, keyed, again, window, deadlineMs, seed } =
  options<AppenderOptions>()
const ending = new AbortController()
process.stdin.once('end', () => ending.abort()).resume()
const store = await openStore(url, { deadlineMs })
const clients = new Map(
  conversationIds.map((id) => [
    id,
    new Client(name, store.conversation({ userId, conversationId: id }), print),
  ]),
)
for (const [conversationId, content] of again) await clients.get(conversationId)?.append(content, { keyed })

const random = randomFrom(seed)
for (let turn = 1; !ending.signal.aborted; turn++) {
  const client = random.pick([...clients.values()])
  await client.append(`${name} turn ${turn}`, { keyed })
  if (turn % 10 === 0) await client.loadWindow(window)
}
await store.close()
