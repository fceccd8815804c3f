import { IncompleteReplyError } from '../../errors.ts'
import type { ToolCall } from '../../types.ts'
import { countRequest } from '../cost.ts'
import type { Reply } from '../reply.ts'
import type { Endpoint } from './endpoint.ts'
import { roundItems, toItems, toFlatTool } from './items.ts'

/** OpenAI's Responses. Nothing is left to its own memory: each request carries the window, as with the other two. */
export const responses: Endpoint = {
  of: (client) => client.responses,
  body: ({ model, opening, rounds, tools, maxOutputTokens, params }) => ({
    model,
    input: [
      ...toItems(opening),
      ...rounds.flatMap((round) => roundItems(round, { isStored: params['store'] !== false })),
    ],
    ...(tools.length === 0 ? {} : { tools: tools.map(toFlatTool) }),
    ...(maxOutputTokens === undefined ? {} : { max_output_tokens: maxOutputTokens }),
  }),
  count: ({ tools, ...request }, encoder, countPart) =>
    countRequest({ ...request, tools: tools.map(toFlatTool) }, encoder, countPart),
  readWhole(reply, answer) {
    for (const { type, content } of readEnd(reply, answer)) {
      for (const part of type === 'message' ? (content ?? []) : []) {
        if (part.type === 'refusal') reply.refusal += part.refusal ?? ''
        else reply.text += part.text ?? ''
      }
    }
  },
  readPiece(reply, piece) {
    const { type, delta = '', item, response, code } = Object(piece) as StreamEvent
    if (type === 'error') throw failed(code)
    if (type === 'response.output_item.done' && item) reply.items.push(item)
    if (type === 'response.completed' || type === 'response.incomplete' || type === 'response.failed') {
      readEnd(reply, response)
    }
    if (type === 'response.output_text.delta') reply.text += delta
    else if (type === 'response.refusal.delta') reply.refusal += delta
    else return ''
    return delta
  },
}

/** What the stream sends, as far as it is read. */
interface StreamEvent {
  readonly type?: string
  readonly delta?: string
  readonly item?: Item
  readonly response?: unknown
  readonly code?: string | null
}

interface Response {
  readonly status?: string
  readonly incomplete_details?: { readonly reason?: string } | null
  readonly error?: { readonly code?: string } | null
  readonly output?: readonly Item[]
  readonly usage?: {
    readonly input_tokens?: number
    readonly output_tokens?: number
    readonly output_tokens_details?: { readonly reasoning_tokens?: number }
  } | null
}

interface Item {
  readonly type?: string
  readonly content?: readonly { readonly type?: string; readonly text?: string; readonly refusal?: string }[]
  readonly call_id?: string
  readonly name?: string
  readonly arguments?: string
  readonly input?: string
}

/** Takes over what a response tells at its end: why it ended, its usage, and the calls of tools. Gives its items. */
function readEnd(reply: Reply, answer: unknown): readonly Item[] {
  const { status, incomplete_details: details, error, output = [], usage } = Object(answer) as Response
  if (status === 'failed' || status === 'cancelled') throw failed(error?.code ?? status)
  if (status === 'completed' || status === 'incomplete') reply.finishReason = details?.reason ?? 'stop'
  if (usage) reply.usage = { inputTokens: usage.input_tokens ?? 0, outputTokens: usage.output_tokens ?? 0 }
  // Some servers leave the output of a stream empty at its end: its items have come one by one.
  if (output.length > 0) reply.items = [...output]
  reply.hiddenTokens = usage?.output_tokens_details?.reasoning_tokens ?? 0
  reply.toolCalls.push(...(reply.items as Item[]).flatMap(toToolCall))
  return output
}

function failed(code: string | null | undefined): IncompleteReplyError {
  const reason = typeof code === 'string' && /^[\w.-]{1,64}$/.test(code) ? code : 'no reason given'
  return new IncompleteReplyError(`The model's server gave up on the reply (${reason}).`)
}

function toToolCall({
  type,
  call_id: id = '',
  name = '',
  arguments: text = '',
  input = '',
}: Item): ToolCall[] {
  if (type === 'function_call') return [{ id, type: 'function', function: { name, arguments: text } }]
  if (type === 'custom_tool_call') return [{ id, type: 'custom', custom: { name, input } }]
  return []
}
