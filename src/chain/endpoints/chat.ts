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
    reply.toolCalls.push(...(calls ?? []).map((call) => ({ ...call, type: typeOf(call) }) as ToolCall))
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

/** The call that a piece belongs to: one that was begun, or a new one. */
function callOf(reply: Reply, piece: CallPiece): ToolCall {
  const begun = begunCall(reply, piece)
  if (begun && !beginsAnother(begun, piece)) return begun
  // Whatever else stands beside a call is kept: some servers want to see it again.
  const { index, id, type: _, function: __, custom: ___, ...others } = piece
  const call: ToolCall =
    typeOf(piece) === 'custom'
      ? { id: id ?? '', type: 'custom', custom: { name: '', input: '' }, ...others }
      : { id: id ?? '', type: 'function', function: { name: '', arguments: '' }, ...others }
  reply.toolCalls.push(call)
  if (typeof index === 'number') reply.callAt.set(index, call)
  return call
}

/** The type of a call: some servers leave it out. */
function typeOf(call: object): ToolCall['type'] {
  return 'custom' in call && call.custom ? 'custom' : 'function'
}

/** The call of the piece's index; from servers that give none, of its id, or the last one. */
function begunCall({ toolCalls, callAt }: Reply, { index, id }: CallPiece): ToolCall | undefined {
  if (typeof index === 'number') return callAt.get(index)
  return id ? toolCalls.find((call) => call.id === id) : toolCalls.at(-1)
}

/** Some servers give all calls the same index; but others give each piece of one call an id of its own. */
function beginsAnother(begun: ToolCall, { id, function: called, custom }: CallPiece): boolean {
  return Boolean(id && id !== begun.id && (called?.name || custom?.name))
}
