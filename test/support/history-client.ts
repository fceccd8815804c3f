import { BackscrollError, OutcomeUnknownError, type Conversation, type StoredTurn } from '../../src/index.ts'
import type { AppendCall, LoadCall, Note, Placed } from './history.ts'
import { turnOf } from './inspect.ts'
import type { Random } from './texts.ts'

/**
 * Works on one conversation, and notes each call. An error of backscroll's is part of the history; any other one is
 * thrown. One client makes one call at a time.
 */
export class Client {
  readonly #name: string
  readonly #conversation: Conversation
  readonly #note: (note: Note) => unknown
  #calls = 0

  /** @param name unique among the clients of the history. */
  constructor(name: string, conversation: Conversation, note: (note: Note) => unknown) {
    this.#name = name
    this.#conversation = conversation
    this.#note = note
  }

  /** Appends a turn. `keyed`: its content is its idempotency key, and it may be appended again. */
  async append(content: string, { keyed = false } = {}): Promise<AppendCall> {
    const begun: AppendCall = { call: 'append', content, outcome: 'unknown', ...this.#start() }
    this.#note(begun)
    try {
      const stored = await this.#conversation.append(
        turnOf(content),
        keyed ? { idempotencyKey: content } : {},
      )
      return this.#noted({ ...begun, outcome: 'stored', position: stored.position, ended: now() })
    } catch (error) {
      const code = codeOf(error)
      const outcome = error instanceof OutcomeUnknownError ? 'unknown' : 'refused'
      return this.#noted({ ...begun, outcome, code, ended: now() })
    }
  }

  /** Loads the newest turns that fit. */
  loadWindow(maxTokens: number): Promise<LoadCall> {
    return this.#load(async () => {
      const { turns, omittedTurns } = await this.#conversation.loadWindow({ maxTokens })
      return { turns: turns.map(placed), omitted: omittedTurns }
    })
  }

  /** Lists all turns, of a conversation that has at most 1,000. */
  listTurns(): Promise<LoadCall> {
    return this.#load(async () => {
      const turns = await this.#conversation.listTurns({ limit: 1000 })
      return { turns: turns.map(placed), omitted: 0 }
    })
  }

  async #load(load: () => Promise<Pick<LoadCall, 'turns' | 'omitted'>>): Promise<LoadCall> {
    const begun: LoadCall = { call: 'load', omitted: 0, ...this.#start() }
    try {
      return this.#noted({ ...begun, ...(await load()), ended: now() })
    } catch (error) {
      return this.#noted({ ...begun, code: codeOf(error), ended: now() })
    }
  }

  #start(): Pick<Note, 'id' | 'conversationId' | 'started'> {
    const { conversationId } = this.#conversation
    return { id: `${this.#name}, ${conversationId}, call ${++this.#calls}`, conversationId, started: now() }
  }

  #noted<N extends Note>(note: N): N {
    this.#note(note)
    return note
  }
}

/**
 * Makes calls at random, one after the other: half of them appends, some of those with a key and now and then repeated,
 * the others windows and lists.
 *
 * @param clients one for each conversation that is worked on. @param name what the contents begin with.
 */
export async function callAtRandom(
  clients: readonly Client[],
  { name, calls, random }: { name: string; calls: number; random: Random },
): Promise<void> {
  for (let call = 1; call <= calls; call++) {
    const client = random.pick(clients)
    const content = `${name}, turn ${call}`
    switch (random.below(8)) {
      case 0:
      case 1:
        await client.append(content)
        break
      case 2:
        await client.append(content, { keyed: true })
        break
      case 3:
        await client.append(content, { keyed: true })
        await client.append(content, { keyed: true })
        break
      case 4:
        await client.listTurns()
        break
      default:
        await client.loadWindow(random.pick([0, 60, 300, 1_000_000]))
    }
  }
}

/** Nanoseconds of the machine's monotonic clock, which is one for all its processes. */
function now(): number {
  return Number(process.hrtime.bigint())
}

function placed({ position, messages }: StoredTurn): Placed {
  return { position, content: messages[0]!.content as string }
}

function codeOf(error: unknown): string {
  if (error instanceof BackscrollError) return error.code
  throw error
}
