import type { Message, StoredTurn } from '../types.ts'
import { check } from './check.ts'
import { expectSame } from './expect.ts'
import { HOSTILE, hostileTurn, said } from './turns.ts'

const RANDOM_TURNS = 20

/** What a JSON column, a driver or a cipher may change: fields of no known name, their order, and numbers at their edges. */
const FIELDS = JSON.parse(`{
  "z": 1, "a": { "y": [], "b": {}, "c": [[null, true, false, ""]] }, "__proto__": "own", "constructor": "own",
  "numbers": [0, 0.1, -1.5, 1e21, 5e-324, 1.7976931348623157e308, 9007199254740991, 12345678901234567000]
}`) as Record<string, unknown>

/** Long enough that a database stores it apart or compressed. */
const LONG = 'The quick brown fox jumps over the lazy dog. '.repeat(500)

/** Everything that a turn may hold, read back by each method that gives turns. */
export const contentIsKept = check(
  'messages and metadata are read back as they were given: NUL, lone surrogates, unknown fields, order of keys',
  async ({ store, random, user }) => {
    const userId = user()
    const conversation = store.conversation({ userId, conversationId: 'content' })
    const metadata = { texts: [...HOSTILE], ...FIELDS }
    const turns: Message[][] = [
      [...HOSTILE, HOSTILE.join(''), LONG, ''].flatMap(said),
      said('with more').map((message) => ({ ...message, ...FIELDS })),
      ...Array.from({ length: RANDOM_TURNS }, () => hostileTurn(random)),
    ]
    for (const [at, messages] of turns.entries()) {
      const idempotencyKey = `key ${at}`
      const stored = await conversation.append(messages, { idempotencyKey, metadata })
      expectKept(`turn ${at + 1} as appended`, stored, { messages, metadata })
      const found = await conversation.findTurn(idempotencyKey)
      expectKept(`turn ${at + 1} as found`, found, { messages, metadata })
      expectSame(`turn ${at + 1} as found`, found, stored)
    }
    const listed = await conversation.listTurns()
    const window = await conversation.loadWindow({ maxTokens: 1_000_000 })
    for (const [at, messages] of turns.entries()) {
      expectKept(`turn ${at + 1} as listed`, listed[at], { messages, metadata })
      expectKept(`turn ${at + 1} in a window`, window.turns[at], { messages, metadata })
    }
    await conversation.setMetadata(metadata)
    const [line] = await store.listConversations(userId)
    expectText("the conversation's metadata", line?.metadata, metadata)
  },
)

type Given = Pick<StoredTurn, 'messages' | 'metadata'>

function expectKept(what: string, turn: StoredTurn | undefined, { messages, metadata }: Given): void {
  expectText(`the messages of ${what}`, turn?.messages, messages)
  expectText(`the metadata of ${what}`, turn?.metadata, metadata)
}

/** Compares the values first, which tells where they differ, and then as text, which has an order of keys. */
function expectText(what: string, seen: unknown, given: unknown): void {
  expectSame(what, seen, given)
  expectSame(`the order of keys in ${what}`, JSON.stringify(seen), JSON.stringify(given))
}
