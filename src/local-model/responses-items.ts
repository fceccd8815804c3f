import type { ToolCall } from '../types.ts'
import type { Reply } from './endpoint.ts'
import { fragments, words } from './pieces.ts'

/** What a response is made of, in order: the text of the assistant, then its calls. */
export type Item = MessageItem | CallItem

interface MessageItem {
  readonly type: 'message'
  readonly id: string
  readonly role: 'assistant'
  readonly status: string
  readonly content: readonly Part[]
}

type Part =
  | { readonly type: 'output_text'; readonly text: string; readonly annotations: []; readonly logprobs: [] }
  | { readonly type: 'refusal'; readonly refusal: string }

type CallItem =
  | FunctionItem
  | {
      readonly type: 'custom_tool_call'
      readonly id: string
      readonly call_id: string
      readonly name: string
      readonly input: string
    }

interface FunctionItem {
  readonly type: 'function_call'
  readonly id: string
  readonly call_id: string
  readonly name: string
  readonly arguments: string
  readonly status: string
}

/** The items of an answer; `status` is that of the response. */
export function itemsOf({ id, answer: { content, refusal, toolCalls = [] } }: Reply, status: string): Item[] {
  const parts: Part[] = []
  if (content !== undefined) parts.push({ type: 'output_text', text: content, annotations: [], logprobs: [] })
  if (refusal !== undefined) parts.push({ type: 'refusal', refusal })
  const calls = toolCalls.map((call, index) => callItem(call, `${id}_${index}`, status))
  if (parts.length === 0) return calls
  return [{ type: 'message', id: `msg_${id}`, role: 'assistant', status, content: parts }, ...calls]
}

function callItem(call: ToolCall, id: string, status: string): CallItem {
  return call.type === 'function'
    ? { type: 'function_call', id: `fc_${id}`, call_id: call.id, ...call.function, status }
    : { type: 'custom_tool_call', id: `ctc_${id}`, call_id: call.id, ...call.custom }
}

/** An item as it comes in a stream: announced empty, filled piece by piece, then given whole. */
export function* itemEvents(item: Item, index: number) {
  const at = { item_id: item.id, output_index: index }
  yield { type: 'response.output_item.added', output_index: index, item: emptied(item) }
  switch (item.type) {
    case 'message':
      for (const [place, part] of item.content.entries())
        yield* partEvents(part, { ...at, content_index: place })
      break
    case 'function_call':
      for (const delta of fragments(item.arguments))
        yield { type: 'response.function_call_arguments.delta', ...at, delta }
      yield {
        type: 'response.function_call_arguments.done',
        ...at,
        name: item.name,
        arguments: item.arguments,
      }
      break
    case 'custom_tool_call':
      for (const delta of fragments(item.input))
        yield { type: 'response.custom_tool_call_input.delta', ...at, delta }
      yield { type: 'response.custom_tool_call_input.done', ...at, input: item.input }
  }
  yield { type: 'response.output_item.done', output_index: index, item }
}

function* partEvents(part: Part, at: object) {
  if (part.type === 'output_text') {
    yield { type: 'response.content_part.added', ...at, part: { ...part, text: '' } }
    for (const delta of words(part.text))
      yield { type: 'response.output_text.delta', ...at, delta, logprobs: [] }
    yield { type: 'response.output_text.done', ...at, text: part.text, logprobs: [] }
  } else {
    yield { type: 'response.content_part.added', ...at, part: { ...part, refusal: '' } }
    for (const delta of words(part.refusal)) yield { type: 'response.refusal.delta', ...at, delta }
    yield { type: 'response.refusal.done', ...at, refusal: part.refusal }
  }
  yield { type: 'response.content_part.done', ...at, part }
}

function emptied(item: Item): Item {
  switch (item.type) {
    case 'message':
      return { ...item, status: 'in_progress', content: [] }
    case 'function_call':
      return { ...item, status: 'in_progress', arguments: '' }
    case 'custom_tool_call':
      return { ...item, input: '' }
  }
}
