import { check } from './check.ts'
import { expectSame } from './expect.ts'
import { said } from './turns.ts'

/** Endings of user ids, and conversation ids, that something less careful would take for one another. */
export const PAIRS: readonly (readonly [user: string, conversation: string])[] = [
  ['a', 'b:c'],
  ['a:b', 'c'],
  ['a', 'b'],
  ['ab', 'c'],
  ['a', 'bc'],
  ['A', 'b'],
  ['a', 'B'],
  ['a ', 'b'],
  ['a', ' b'],
  ['a', 'b '],
  ['%', '%'],
  ['_', '_'],
  ['*', '*'],
  ['é', 'x'],
  ['e\u0301', 'x'],
  ['ß', 'x'],
  ['ss', 'x'],
  ['ı', 'I'],
  ['i', 'İ'],
  ["o'hara", `"; drop table backscroll_turns; --`],
  ["o''hara", '\\'],
  ['\\', "\\'"],
  ['1', '01'],
  ['01', '1'],
  ['1e0', '1.0'],
  ['null', 'undefined'],
  ['', '__proto__'],
  ['🙂', '👨‍👩‍👧'],
  ['🙂', '👨'],
  ['\u00a0', '\u200b'],
  ['\n', '\t'],
  ['a', '\ufeffb'],
  ['a', 'c'.repeat(512)],
  ['a', `${'c'.repeat(511)}d`],
  ['🙂'.repeat(100), '🙂'.repeat(128)],
]

/** Ids that are equal to a collation, a pattern, a trimmed string or a joined key, and not to each other. */
export const idsAreExact = check(
  'ids that look alike stand for different users and conversations',
  async ({ store, user }) => {
    const conversations = PAIRS.map(([ending, conversationId]) =>
      store.conversation({ userId: user(ending), conversationId }),
    )
    // Equal messages under an equal key: a pair that is taken for another one gives that one's turn.
    for (const [index, conversation] of conversations.entries()) {
      const { position, replayed } = await conversation.append(said('first'), { idempotencyKey: 'key' })
      const place = { position, replayed }
      expectSame(`the first turn under pair ${index} of ids`, place, { position: 1, replayed: false })
      await conversation.append(said(`pair ${index}`))
    }
    for (const [index, conversation] of conversations.entries()) {
      const { messages } = await conversation.loadWindow({ maxTokens: 1000 })
      expectSame(`what is stored under pair ${index} of ids`, messages, [
        ...said('first'),
        ...said(`pair ${index}`),
      ])
    }
    const users = [...new Set(conversations.map(({ userId }) => userId))]
    const own = users.map((userId) => conversations.filter((one) => one.userId === userId).length)
    for (const [at, userId] of users.entries()) {
      const left: number[] = []
      for (const other of users.slice(at)) left.push((await store.listConversations(other)).length)
      expectSame(`the conversations of users after ${at} were forgotten`, left, own.slice(at))
      const erased = { conversations: own[at], turns: 2 * own[at]! }
      expectSame('what forgetUser erased', await store.forgetUser(userId), erased)
    }
  },
)
