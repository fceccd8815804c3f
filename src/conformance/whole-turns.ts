import type { Message } from '../types.ts'
import { check } from './check.ts'
import { expectSame } from './expect.ts'
import { hostileTurn, toolTurn } from './turns.ts'

const TURNS = 8
const LIMITS = 40

/** A model refuses a history that holds a call without its result, or a result without its call. */
export const turnsStayWhole = check(
  'a turn is in a window whole or not at all: no tool call without its result, no question without its answer',
  async ({ store, random, user }) => {
    const conversation = store.conversation({ userId: user(), conversationId: 'tools' })
    const turns = Array.from({ length: TURNS }, (_, at) =>
      at % 2 === 0 ? toolTurn(random) : hostileTurn(random),
    )
    for (const turn of turns) await conversation.append(turn)
    const { tokenCount } = await conversation.loadWindow({ maxTokens: Number.MAX_SAFE_INTEGER })
    for (let load = 0; load < LIMITS; load++) {
      const maxTokens = random.below(tokenCount + 1)
      const what = `the window under limit ${maxTokens}`
      const window = await conversation.loadWindow({ maxTokens })
      for (const { position, messages } of window.turns) {
        expectSame(`turn ${position} in ${what}`, messages, turns[position - 1])
      }
      const { called, answered } = callsIn(window.messages)
      expectSame(`the results of tools in ${what}`, answered, called)
      expectSame(`the number of messages in ${what}`, window.messages.length, lengthOf(window.turns))
    }
  },
)

function callsIn(messages: readonly Message[]): { called: string[]; answered: string[] } {
  return {
    called: messages
      .flatMap((message) => ('tool_calls' in message ? message.tool_calls! : []))
      .map(({ id }) => id),
    answered: messages.flatMap((message) => (message.role === 'tool' ? message.tool_call_id : [])),
  }
}

function lengthOf(turns: readonly { readonly messages: readonly Message[] }[]): number {
  return turns.flatMap(({ messages }) => messages).length
}
