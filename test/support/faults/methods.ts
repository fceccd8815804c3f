import { expect } from 'vitest'
import type { ConversationStore, Message } from '../../../src/index.ts'
import type { TestDatabase } from '../databases.ts'
import { expectConsistent, turnOf } from '../inspect.ts'

/** Whose conversation, and which. */
export interface Key {
  readonly userId: string
  readonly conversationId: string
}

/** A public method that asks the database something, called in one way. */
export interface Method {
  readonly name: string
  /** `once`: called twice, it writes twice. */
  readonly effect: 'read' | 'repeatable' | 'once'
  readonly call: (store: ConversationStore, key: Key) => Promise<unknown>
}

/** The encoding that a recount changes to. */
const ANOTHER = 'gpt2'

const ANSWER: Message = { role: 'assistant', content: 'more' }

/** Every method but `migrate`, on a conversation as {@link begin} leaves it. */
export const METHODS: readonly Method[] = [
  { name: 'append', effect: 'once', call: (store, key) => store.conversation(key).append(turnOf('three')) },
  {
    name: 'append with a key',
    effect: 'repeatable',
    call: (store, key) => store.conversation(key).append(turnOf('three'), { idempotencyKey: 'third' }),
  },
  {
    name: 'append at a position',
    effect: 'once',
    call: (store, key) => store.conversation(key).append(turnOf('three'), { expectedPosition: 2 }),
  },
  {
    name: 'append with a key at a position',
    effect: 'repeatable',
    call: (store, key) =>
      store.conversation(key).append(turnOf('three'), { idempotencyKey: 'third', expectedPosition: 2 }),
  },
  {
    name: 'addMessages that join',
    effect: 'once',
    call: (store, key) => store.conversation(key).addMessages([ANSWER, ...turnOf('three')]),
  },
  {
    name: 'addMessages with a key',
    effect: 'repeatable',
    call: (store, key) => store.conversation(key).addMessages([ANSWER], { idempotencyKey: 'added' }),
  },
  { name: 'popMessage', effect: 'once', call: (store, key) => store.conversation(key).popMessage() },
  {
    name: 'replaceNewest with a key',
    effect: 'repeatable',
    call: (store, key) =>
      store
        .conversation(key)
        .replaceNewest(turnOf('two 你好世界'), turnOf('instead'), { idempotencyKey: 'replaced' }),
  },
  {
    name: 'loadWindow',
    effect: 'read',
    call: (store, key) => store.conversation(key).loadWindow({ maxTokens: 1000 }),
  },
  { name: 'listTurns', effect: 'read', call: (store, key) => store.conversation(key).listTurns() },
  {
    name: 'listTurns before',
    effect: 'read',
    call: (store, key) => store.conversation(key).listTurns({ before: 2 }),
  },
  { name: 'findTurn', effect: 'read', call: (store, key) => store.conversation(key).findTurn('second') },
  { name: 'countedAs', effect: 'read', call: (store, key) => store.conversation(key).countedAs() },
  { name: 'listConversations', effect: 'read', call: (store, { userId }) => store.listConversations(userId) },
  { name: 'rewind', effect: 'repeatable', call: (store, key) => store.conversation(key).rewind({ to: 1 }) },
  { name: 'clear', effect: 'repeatable', call: (store, key) => store.conversation(key).clear() },
  {
    name: 'recount',
    effect: 'repeatable',
    call: (store, key) => store.conversation(key).recount({ encoding: ANOTHER }),
  },
  {
    name: 'setMetadata',
    effect: 'repeatable',
    call: (store, key) => store.conversation(key).setMetadata({ colour: 'red' }),
  },
  { name: 'forgetUser', effect: 'repeatable', call: (store, { userId }) => store.forgetUser(userId) },
]

/** Begins a conversation of two turns, the second under a key. */
export async function begin(store: ConversationStore, key: Key): Promise<void> {
  const conversation = store.conversation(key)
  await conversation.append(turnOf('one'))
  await conversation.append(turnOf('two 你好世界'), { idempotencyKey: 'second' })
}

/** A conversation as it is stored, without its times. */
export interface Stored {
  readonly turns: readonly { readonly position: number; readonly content: string; readonly tokens: number }[]
  readonly encoding: string | undefined
  readonly metadata: unknown
}

/** Reads a conversation past backscroll, holds its totals against its turns, and asks `store` for what belongs to it. */
export async function storedIn(
  database: Pick<TestDatabase, 'name' | 'url'>,
  store: ConversationStore,
  key: Key,
): Promise<Stored> {
  const rows = await expectConsistent(database, key)
  const counted = await store.conversation(key).countedAs()
  const [summary] = await store.listConversations(key.userId)
  return {
    turns: rows.map(({ position, content, tokens }) => ({ position, content, tokens })),
    encoding: counted?.encoding,
    metadata: summary?.metadata,
  }
}

/** What a call came to: `ok`, or the code of its error. */
export interface Outcome {
  readonly code: string
  readonly cause: string | undefined
  readonly value: unknown
}

/** Waits for a call, and tells what it came to. */
export async function outcomeOf(call: Promise<unknown>): Promise<Outcome> {
  try {
    return { code: 'ok', cause: undefined, value: await call }
  } catch (error) {
    const { code, cause } = error as { code?: unknown; cause?: { code?: string } }
    return { code: String(code), cause: cause?.code, value: undefined }
  }
}

/** How a method leaves a conversation, and what it gives, when nothing goes wrong. */
export interface Expected {
  readonly before: Stored
  readonly after: Stored
}

/** Finds out on a conversation that is not there yet how a method changes it. */
export async function expectedOf(
  database: Pick<TestDatabase, 'name' | 'url'>,
  store: ConversationStore,
  { effect, call }: Method,
  key: Key,
): Promise<Expected> {
  await begin(store, key)
  const before = await storedIn(database, store, key)
  await call(store, key)
  const after = await storedIn(database, store, key)
  if (effect === 'read') expect(after).toEqual(before)
  else expect(after).not.toEqual(before)
  return { before, after }
}

/** Holds what a call said against what is stored: all of it, none of it, or in doubt; nothing in between. */
export function expectTruth({ code }: Outcome, stored: Stored, { before, after }: Expected): void {
  if (code === 'ok') expect(stored).toEqual(after)
  else if (code === 'OUTCOME_UNKNOWN') expect([before, after]).toContainEqual(stored)
  else expect(stored).toEqual(before)
}
