import type { ToolCall } from '../../types.ts'
import { countRequest } from '../cost.ts'
import type { Reply } from '../reply.ts'
import { readChoice, readOnlyChoice, type CallPiece } from './choice.ts'
import { exchangeOf, type Endpoint } from './endpoint.ts'

/** Chat completions: what every server speaks that calls itself OpenAI-compatible. */
export const chat: Endpoint = {
  of: (client) => client.chat?.completions,
  body: ({ model, opening, rounds, tools, maxOutputTokens }) => ({
    model,
    messages: [...opening, ...exchangeOf(rounds)],
    ...(tools.length === 0 ? {} : { tools }),
    ...(maxOutputTokens === undefined ? {} : { max_completion_tokens: maxOutputTokens }),
  }),
  count: countRequest,
  readWhole(reply, answer) {
    const { content, refusal, tool_calls: calls } = readOnlyChoice(reply, answer)?.message ?? {}
    reply.text = content ?? ''
    reply.refusal = refusal ?? ''
    reply.toolCalls.push(...(calls ?? []))
  },
  readPiece(reply, piece) {
    const { content, refusal, tool_calls: calls } = readChoice(reply, piece)?.delta ?? {}
    for (const call of calls ?? []) addToCall(reply, call)
    reply.text += content ?? ''
    reply.refusal += refusal ?? ''
    return `${content ?? ''}${refusal ?? ''}`
  },
}

function addToCall(reply: Reply, piece: CallPiece): void {
  const call = callOf(reply, piece)
  if (call.type === 'custom') {
    call.custom.name = piece.custom?.name || call.custom.name
    call.custom.input += piece.custom?.input ?? ''
  } else {
    call.function.name = piece.function?.name || call.function.name
    call.function.arguments += piece.function?.arguments ?? ''
  }
}

/** The call that a piece belongs to: the one of its index; from servers that give none, of its id, or the last one. */
function callOf({ toolCalls, callAt }: Reply, { index, id = '', custom }: CallPiece): ToolCall {
  const withoutIndex = () => (id === '' ? toolCalls.at(-1) : toolCalls.find((call) => call.id === id))
  const begun = index === undefined ? withoutIndex() : callAt.get(index)
  if (begun) return begun
  const call: ToolCall = custom
    ? { id, type: 'custom', custom: { name: '', input: '' } }
    : { id, type: 'function', function: { name: '', arguments: '' } }
  toolCalls.push(call)
  if (index !== undefined) callAt.set(index, call)
  return call
}
