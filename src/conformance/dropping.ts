import type { Conversation, ConversationStore } from '../index.ts'
import { check } from './check.ts'
import { expectSame } from './expect.ts'
import { said } from './turns.ts'

const TURNS = 6

/** What is dropped, what is left, and what the totals say then. */
export const droppingIsExact = check(
  'rewind, clear and forgetUser drop what they say and no more, and totals and positions go on from there',
  async ({ store, user }) => {
    const userId = user()
    for (const to of [0, 1, 3, TURNS - 1, TURNS, TURNS + 3]) {
      const conversation = store.conversation({ userId, conversationId: `rewound to ${to}` })
      await fill(conversation)
      const before = await conversation.listTurns()
      const dropped = { turns: Math.max(0, TURNS - to) }
      expectSame(`rewind to ${to}`, await conversation.rewind({ to }), dropped)
      expectSame(`rewind to ${to} once more`, await conversation.rewind({ to }), { turns: 0 })
      expectSame(`what a rewind to ${to} left`, await conversation.listTurns(), before.slice(0, to))
      await expectTotals(store, conversation)
      const { position } = await conversation.append(said('after'))
      expectSame(`the position after a rewind to ${to}`, position, TURNS + 1)
      await expectTotals(store, conversation)
    }

    const conversation = store.conversation({ userId, conversationId: 'cleared' })
    await fill(conversation)
    expectSame('clear', await conversation.clear(), { turns: TURNS })
    await expectTotals(store, conversation)
    const { position, tokenCount, cumulativeTokens } = await conversation.append(said('after'))
    expectSame('the position after a clear', position, TURNS + 1)
    expectSame('the running total after a clear', cumulativeTokens, tokenCount)
    await expectTotals(store, conversation)

    const lines = await store.listConversations(userId)
    const turns = lines.reduce((sum, { turnCount }) => sum + turnCount, 0)
    const erased = { conversations: lines.length, turns }
    expectSame('forgetUser', await store.forgetUser(userId), erased)
    expectSame('conversations of a forgotten user', await store.listConversations(userId), [])
    expectSame('turns of a forgotten user', await conversation.listTurns(), [])
    expectSame('the first position of a forgotten user', (await conversation.append(said('new'))).position, 1)
  },
)

async function fill(conversation: Conversation): Promise<void> {
  for (let turn = 1; turn <= TURNS; turn++) await conversation.append(said('word '.repeat(turn)))
}

/** What the window and the list of conversations say of a conversation follows from its turns. */
async function expectTotals(store: ConversationStore, conversation: Conversation): Promise<void> {
  const { userId, conversationId } = conversation
  const turns = await conversation.listTurns()
  let tokenCount = 0
  for (const turn of turns) {
    tokenCount += turn.tokenCount
    expectSame(`the running total at position ${turn.position}`, turn.cumulativeTokens, tokenCount)
  }
  const line = (await store.listConversations(userId)).find((one) => one.conversationId === conversationId)
  const totals = { turnCount: turns.length, tokenCount }
  const listed = line && { turnCount: line.turnCount, tokenCount: line.tokenCount }
  expectSame('the totals in the list of conversations', listed, totals)
  const { omittedTurns, omittedTokens } = await conversation.loadWindow({ maxTokens: 0 })
  const omitted = { turnCount: omittedTurns, tokenCount: omittedTokens }
  expectSame('what an empty window leaves out', omitted, totals)
}
