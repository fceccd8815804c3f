import type {
  AppendOptions,
  Conversation,
  ConversationStore,
  LoadWindowOptions,
  Message,
  StoredTurn,
  Window,
} from '../../src/index.ts'
import type { Check } from '../../src/conformance.ts'
import { contentIsKept } from '../../src/conformance/content.ts'
import { droppingIsExact } from '../../src/conformance/dropping.ts'
import { keyNamesOneTurn, keyNamesOneTurnForAll } from '../../src/conformance/idempotency.ts'
import { idsAreExact } from '../../src/conformance/ids.ts'
import { usersAreApart } from '../../src/conformance/isolation.ts'
import { onePerPosition, readersSeeAPrefix } from '../../src/conformance/ordering.ts'
import { pagesAreComplete } from '../../src/conformance/pages.ts'
import { countsFollowTheRule } from '../../src/conformance/recounting.ts'
import { turnsStayWhole } from '../../src/conformance/whole-turns.ts'
import { windowIsExact, windowMovesInSteps } from '../../src/conformance/window.ts'

type Break = (store: ConversationStore) => ConversationStore

/** Faults that a store may have, by the check that is meant to find each. */
export const FAULTS: readonly (readonly [Check, Readonly<Record<string, Break>>])[] = [
  [
    windowIsExact,
    {
      'holds one token more than the limit': onWindow((real, options) =>
        real.loadWindow({ ...options, maxTokens: Math.min(options.maxTokens + 1, Number.MAX_SAFE_INTEGER) }),
      ),
      'leaves out a turn that fits': onWindow(async (real, options) =>
        without(await real.loadWindow(options), 1),
      ),
      'takes an older turn where the newest is too big': onWindow(async (real, options) => {
        const window = await real.loadWindow(options)
        const fitting = (await real.listTurns()).findLast(({ tokenCount }) => tokenCount <= options.maxTokens)
        return window.turns.length > 0 || !fitting ? window : { ...window, turns: [fitting] }
      }),
      'tells a sum of counts for the tokens of the window': onWindow(async (real, options) => {
        const window = await real.loadWindow(options)
        return { ...window, tokenCount: window.turns.reduce((sum, { tokenCount }) => sum + tokenCount, 0) }
      }),
    },
  ],
  [
    windowMovesInSteps,
    { 'ignores the ratio': onWindow((real, { maxTokens }) => real.loadWindow({ maxTokens })) },
  ],
  [
    turnsStayWhole,
    {
      'splits the oldest turn': onWindow(async (real, options) => {
        const { turns, ...window } = await real.loadWindow(options)
        const split = turns.map((turn, at) =>
          at === 0 ? { ...turn, messages: turn.messages.slice(1) } : turn,
        )
        return { ...window, turns: split }
      }),
      'leaves out the results of tools': onWindow(async (real, options) => {
        const window = await real.loadWindow(options)
        return { ...window, messages: window.messages.filter(({ role }) => role !== 'tool') }
      }),
    },
  ],
  [
    keyNamesOneTurn,
    {
      'ignores the key': onAppend((real, messages, { metadata }) => real.append(messages, { metadata })),
      'moves the position for a repetition': onAppend(async (real, messages, options) => {
        const turn = await real.append(messages, options)
        const last = (await real.listTurns()).at(-1)!.position
        if (turn.replayed) await real.append(messages).then(() => real.rewind({ to: last }))
        return turn
      }),
      'takes other messages for a repetition': onAppend(async (real, messages, options) => {
        const found = options.idempotencyKey && (await real.findTurn(options.idempotencyKey))
        return found ? { ...found, replayed: true } : real.append(messages, options)
      }),
      'stores other messages under a used key': onAppend(async (real, messages, options) => {
        const other = { ...options, idempotencyKey: `${options.idempotencyKey} again` }
        return real.append(messages, options).catch(() => real.append(messages, other))
      }),
    },
  ],
  [
    keyNamesOneTurnForAll,
    {
      'looks for the key, and then appends': lookingFirst((real, turns, messages, options) => {
        const { idempotencyKey, ...others } = options
        const found = turns.find(({ metadata }) => metadata?.['key'] === idempotencyKey)
        if (idempotencyKey === undefined) return real.append(messages, others)
        return found
          ? Promise.resolve({ ...found, replayed: true })
          : real.append(messages, { ...others, metadata: { key: idempotencyKey } })
      }),
    },
  ],
  [
    usersAreApart,
    {
      'remembers windows by the conversation alone': (store) => {
        const windows = new Map<string, Window>()
        return onWindow(async (real, options) => {
          const window = windows.get(real.conversationId) ?? (await real.loadWindow(options))
          windows.set(real.conversationId, window)
          return window
        })(store)
      },
      'finds a key of any user': (store) => {
        const found = new Map<string, StoredTurn>()
        return onConversation((real) => ({
          async findTurn(key) {
            const turn = (await real.findTurn(key)) ?? found.get(key)
            if (turn) found.set(key, turn)
            return turn
          },
        }))(store)
      },
    },
  ],
  [
    idsAreExact,
    {
      'compares without regard to case': onIds((id) => id.toLowerCase()),
      'normalizes Unicode': onIds((id) => id.normalize('NFC')),
      'leaves out spaces at the end': onIds((id) => id.trimEnd() || id),
      'cuts what is long': onIds((id) => [...id].slice(0, 255).join('')),
      'joins the two ids': (store) =>
        over(store, {
          conversation({ userId, conversationId, ...options }) {
            const [user, ...rest] = `${userId}:${conversationId}`.split(':')
            return store.conversation({ ...options, userId: user!, conversationId: rest.join(':') })
          },
        }),
    },
  ],
  [
    readersSeeAPrefix,
    {
      'reads from a replica that has stopped': (store) => {
        let first: Window | undefined
        return onWindow(async (real, options) => (first ??= await real.loadWindow(options)))(store)
      },
      'goes back to an earlier load': (store) => {
        const loads: Window[] = []
        return onWindow(async (real, options) => {
          const window = await real.loadWindow(options)
          loads.push(window)
          // Not the one that is shorter by one turn: of writers that load together, no one may have seen it.
          return loads.findLast(({ turns }) => turns.length < window.turns.length) ?? window
        })(store)
      },
      'shows a turn before the one below it': onWindow(async (real, options) => {
        const window = await real.loadWindow(options)
        return { ...window, turns: window.turns.toSpliced(-2, 1) }
      }),
      'tells a writer a place that is not the one of its turn': onAppend(async (real, messages, options) => {
        const turn = await real.append(messages, options)
        return { ...turn, position: (await real.listTurns()).length }
      }),
    },
  ],
  [
    onePerPosition,
    {
      'looks at the position, and then appends': lookingFirst((real, turns, messages, options) =>
        real.append(messages, (turns.at(-1)?.position ?? 0) === options.expectedPosition ? {} : options),
      ),
    },
  ],
  [
    contentIsKept,
    {
      'loses NUL': onText((text) => text.replaceAll('\0', '')),
      'replaces lone surrogates': onText((text) => text.toWellFormed()),
      'loses a byte order mark': onText((text) => text.replaceAll('\ufeff', '')),
      'trims text': onText((text) => text.trim()),
      'orders keys by their names': onJson((messages) => JSON.parse(inOrderOfNames(messages))),
      'knows only some fields': onJson((messages) =>
        messages.map(({ role, content }) => ({ role, content }) as Message),
      ),
      'rounds numbers': onJson((messages) => JSON.parse(JSON.stringify(messages, rounded))),
      'loses the metadata of a conversation': onConversation(() => ({
        setMetadata: () => Promise.resolve(),
      })),
      'loses the metadata of a turn': onAppend((real, messages, { idempotencyKey }) =>
        real.append(messages, { idempotencyKey }),
      ),
    },
  ],
  [
    droppingIsExact,
    {
      'drops one turn more on rewind': onConversation((real) => ({
        rewind: ({ to }) => real.rewind({ to: Math.max(0, to - 1) }),
      })),
      'uses the positions of a cleared conversation again': (store) =>
        onConversation((real) => ({
          async clear() {
            const { length } = await real.listTurns()
            await store.forgetUser(real.userId)
            return { turns: length }
          },
        }))(store),
      'forgets the conversations of a user, and not their turns': (store) =>
        over(store, {
          async forgetUser(userId) {
            const lines = await store.listConversations(userId)
            return {
              conversations: lines.length,
              turns: lines.reduce((sum, { turnCount }) => sum + turnCount, 0),
            }
          },
        }),
    },
  ],
  [
    pagesAreComplete,
    {
      'begins a page of conversations with the last one seen': (store) =>
        over(store, {
          async listConversations(userId, options) {
            const all = await store.listConversations(userId)
            const first = all.findIndex(({ cursor }) => cursor === options?.before)
            return all.slice(Math.max(0, first)).slice(0, options?.limit)
          },
        }),
      'lists the first turns before a position, not the newest': onConversation((real) => ({
        async listTurns({ before = Number.MAX_SAFE_INTEGER, limit = 100, ...options } = {}) {
          const turns = await real.listTurns(options)
          return turns.filter(({ position }) => position < before).slice(0, limit)
        },
      })),
    },
  ],
  [
    countsFollowTheRule,
    {
      'keeps counts of another framing': (store) =>
        over(store, { conversation: (options) => store.conversation({ ...options, framing: 'text' }) }),
    },
  ],
]

/** `real` with some of its methods changed. Private fields are the real one's: everything else is called on that. */
function over<T extends object>(real: T, changed: Partial<T>): T {
  return new Proxy(real, {
    get(target, name) {
      if (Object.hasOwn(changed, name)) return Reflect.get(changed, name) as unknown
      const value = Reflect.get(target, name) as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

function onConversation(change: (real: Conversation) => Partial<Conversation>): Break {
  return (store) =>
    over(store, {
      conversation(options) {
        const real = store.conversation(options)
        return over(real, change(real))
      },
    })
}

function onWindow(load: (real: Conversation, options: LoadWindowOptions) => Promise<Window>): Break {
  return onConversation((real) => ({ loadWindow: (options) => load(real, options) }))
}

function onAppend(
  append: (real: Conversation, messages: readonly Message[], options: AppendOptions) => Promise<StoredTurn>,
): Break {
  return onConversation((real) => ({ append: (messages, options = {}) => append(real, messages, options) }))
}

/** An append that acts on the turns that it saw before. Callers at one moment see the same ones: nothing is left to chance. */
function lookingFirst(
  append: (
    real: Conversation,
    turns: readonly StoredTurn[],
    messages: readonly Message[],
    options: AppendOptions,
  ) => Promise<StoredTurn>,
): Break {
  const looks = new Map<Conversation, Promise<StoredTurn[]>>()
  return onAppend(async (real, messages, options) => {
    const look = looks.get(real) ?? real.listTurns()
    looks.set(real, look)
    const turns = await look
    looks.delete(real)
    return append(real, turns, messages, options)
  })
}

/** Messages that are changed before they are stored. */
function onJson(change: (messages: readonly Message[]) => Message[]): Break {
  return onAppend((real, messages, options) => real.append(change(messages), options))
}

function onText(change: (text: string) => string): Break {
  const changed = (_: string, value: unknown) => (typeof value === 'string' ? change(value) : value)
  return onJson((messages) => JSON.parse(JSON.stringify(messages), changed) as Message[])
}

function onIds(change: (id: string) => string): Break {
  return (store) =>
    over(store, {
      conversation: ({ userId, conversationId, ...options }) =>
        store.conversation({
          ...options,
          userId: change(userId),
          conversationId: change(conversationId),
        }),
      listConversations: (userId, options) => store.listConversations(change(userId), options),
      forgetUser: (userId) => store.forgetUser(change(userId)),
    })
}

/** A window without its oldest turns. */
function without(window: Window, count: number): Window {
  const turns = window.turns.slice(count)
  return { ...window, turns, messages: turns.flatMap(({ messages }) => messages) }
}

function inOrderOfNames(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : item,
  )
}

function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Math.fround(value) : value
}
