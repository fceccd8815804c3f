import { setImmediate } from 'node:timers/promises'
import type { Conversation } from '../../src/index.ts'
import { Client } from '../support/history-client.ts'
import type { Note } from '../support/history.ts'
import { oneTo } from '../support/inspect.ts'
import { randomFrom } from '../support/texts.ts'
import { inGoodTime } from './in-good-time.ts'

/** Clients that append to and load from some conversations, all at once. */
export interface ClientsOptions {
  open(conversationId: string): Conversation
  readonly conversationIds: readonly string[]
  readonly writers: number
  readonly readers: number
  /**
   * Which writers append under idempotency keys, and repeat an append until it is acknowledged. The others make each
   * append once.
   */
  readonly keyed: 'all' | 'none' | 'half'
  /** The longest that a call may take, in milliseconds. */
  readonly deadlineMs: number
  readonly seed: number
}

/** How often a turn is tried again after the last fault, until it has to be acknowledged. */
const TRIES_IN_QUIET = 20
/** Tokens that a reader loads: some dozens of turns, in a conversation of thousands. */
const WINDOW = 400

/** Lets the clients work until the signal aborts; what they did goes into the history. */
export async function runClients(
  { open, conversationIds, writers, readers, keyed, deadlineMs, seed }: ClientsOptions,
  history: Note[],
  signal: AbortSignal,
): Promise<void> {
  const clientsOf = (name: string) =>
    conversationIds.map((id) => new Client(name, open(id), (note) => history.push(note)))

  const write = async (writer: number) => {
    const isKeyed = keyed === 'half' ? writer % 2 === 0 : keyed === 'all'
    const random = randomFrom(seed + writer)
    const clients = clientsOf(`writer ${writer}`)
    for (let turn = 1; !signal.aborted; turn++) {
      const client = random.pick(clients)
      const content = `writer ${writer} turn ${turn}`
      for (let quiet = 0; quiet <= TRIES_IN_QUIET; quiet += signal.aborted ? 1 : 0) {
        const { outcome } = await inGoodTime(client.append(content, { keyed: isKeyed }), deadlineMs)
        if (outcome === 'stored' || !isKeyed) break
        if (quiet === TRIES_IN_QUIET) throw new Error(`${content} was not stored after the last fault.`)
      }
    }
  }

  const read = async (reader: number) => {
    const random = randomFrom(seed - reader)
    const clients = clientsOf(`reader ${reader}`)
    while (!signal.aborted) {
      await inGoodTime(random.pick(clients).loadWindow(WINDOW), deadlineMs)
      await setImmediate()
    }
  }

  await Promise.all([...oneTo(writers).map(write), ...oneTo(readers).map(read)])
}
