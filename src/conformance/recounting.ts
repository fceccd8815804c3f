import type { Message, StoredTurn } from '../types.ts'
import { check } from './check.ts'
import { expectSame } from './expect.ts'
import { loadOracle, tokensBeforeALine, type Count } from './oracle.ts'

/** Tokens that the chat form adds to a message. Source: OpenAI cookbook, "How to count tokens with tiktoken". Reach: text. */
const TOKENS_PER_MESSAGE = 3

/** A conversation that is opened under another framing than its turns were counted under. */
export const countsFollowTheRule = check(
  'counts that were made under another framing are made anew, all of them, before one is used',
  async ({ store, user }) => {
    const count = await loadOracle()
    const key = { userId: user(), conversationId: 'counts' }
    const [text, chat] = [store.conversation(key), store.conversation({ ...key, framing: 'chat' })]
    const turns = ['hi', 'x+-+-+-', 'word '.repeat(30)].map(exchange)
    for (const turn of turns) await text.append(turn)
    const inText = turns.map((turn) => tokensBeforeALine(turn, count))
    const inChat = turns.map((turn) => chatTokens(turn, count))

    expectCounts('text', await text.listTurns(), inText)
    expectCounts('chat', await chat.listTurns(), inChat)
    const { tokenCount } = await chat.loadWindow({ maxTokens: 1_000_000 })
    expectSame(
      'the window in chat form',
      tokenCount,
      inChat.reduce((sum, each) => sum + each),
    )
    await text.append(exchange('back'))
    expectCounts('text again', (await text.listTurns()).slice(0, turns.length), inText)
    expectSame('what recount counted', await text.recount({ framing: 'chat' }), { turns: turns.length + 1 })
    expectCounts('chat again', (await chat.listTurns()).slice(0, turns.length), inChat)
  },
)

function expectCounts(form: string, turns: readonly StoredTurn[], counts: readonly number[]): void {
  const seen = turns.map(({ tokenCount }) => tokenCount)
  expectSame(`the token counts in ${form}`, seen, counts)
  const totals = counts.map((_, at) => counts.slice(0, at + 1).reduce((sum, each) => sum + each))
  expectSame(
    `the running totals in ${form}`,
    turns.map(({ cumulativeTokens }) => cumulativeTokens),
    totals,
  )
}

function chatTokens(messages: readonly Message[], count: Count): number {
  const tokens = messages.map(
    ({ role, content }) => TOKENS_PER_MESSAGE + count(role) + count(String(content)),
  )
  return tokens.reduce((sum, each) => sum + each)
}

function exchange(content: string): Message[] {
  return [
    { role: 'user', content },
    { role: 'assistant', content: `${content}, too` },
  ]
}
