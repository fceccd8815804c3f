import type { Conversation } from '../index.ts'
import { allEnded } from './all-ended.ts'
import { check } from './check.ts'
import { codeOf, expectRefused, expectSame } from './expect.ts'
import { hostileTurn, said } from './turns.ts'

const CALLERS = 12

/** One caller, who repeats himself. */
export const keyNamesOneTurn = check(
  'an append repeated under its idempotency key gives the stored turn and adds nothing',
  async ({ store, random, user }) => {
    const conversation = store.conversation({ userId: user(), conversationId: 'keys' })
    const [messages, other] = [hostileTurn(random), said('something else')]
    await conversation.append(said('before'))
    const first = await conversation.append(messages, { idempotencyKey: 'key', metadata: { try: 1 } })
    expectSame('that the first append replayed', first.replayed, false)
    await conversation.append(said('after'))

    const before = await stateOf(conversation)
    const again = await conversation.append(messages, { idempotencyKey: 'key', metadata: { try: 2 } })
    expectSame('the repeated append', again, { ...first, replayed: true })
    const conflict = conversation.append(other, { idempotencyKey: 'key' })
    await expectRefused('an append of other messages under a used key', conflict, 'IDEMPOTENCY_CONFLICT')
    expectSame('the turn of the key', await conversation.findTurn('key'), { ...first, replayed: false })
    expectSame('the conversation after a repetition', await stateOf(conversation), before)
    expectSame('the position after a repetition', (await conversation.append(other)).position, 4)
  },
)

/** Many callers at once, as when a person clicks twice, or a queue delivers to several workers. */
export const keyNamesOneTurnForAll = check(
  'an idempotency key that many callers use at once names one turn, which all of them get',
  async ({ store, random, user }) => {
    const userId = user()
    const same = store.conversation({ userId, conversationId: 'the same messages' })
    const messages = hostileTurn(random)
    const turns = await fromAllCallers(() => same.append(messages, { idempotencyKey: 'key' }))
    const first = turns.find(({ replayed }) => !replayed)
    expectSame(
      'the number of turns that were not there before',
      turns.filter((turn) => !turn.replayed).length,
      1,
    )
    for (const turn of turns) expectSame('a turn of the key', turn, { ...first, replayed: turn.replayed })
    expectSame('what is stored under the key', (await same.listTurns()).length, 1)
    expectSame('the position after it', (await same.append(messages)).position, 2)

    const others = store.conversation({ userId, conversationId: 'other messages' })
    const results = await fromAllCallers((caller) =>
      others.append(said(`caller ${caller}`), { idempotencyKey: 'key' }).then(() => 'stored', codeOf),
    )
    const refused = Array.from({ length: CALLERS - 1 }, () => 'IDEMPOTENCY_CONFLICT')
    expectSame(
      'callers that were told of a conflict',
      results.filter((result) => result !== 'stored'),
      refused,
    )
    const stored = results.indexOf('stored')
    const [turn] = await others.listTurns()
    expectSame('the turn that was kept', turn?.messages, said(`caller ${stored}`))
  },
)

function fromAllCallers<T>(call: (caller: number) => Promise<T>): Promise<T[]> {
  return allEnded(Array.from({ length: CALLERS }, (_, caller) => call(caller)))
}

async function stateOf(conversation: Conversation) {
  const { tokenCount, omittedTurns } = await conversation.loadWindow({ maxTokens: Number.MAX_SAFE_INTEGER })
  return { turns: await conversation.listTurns(), tokenCount, omittedTurns }
}
