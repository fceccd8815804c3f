import type { ContentPart, Message, ToolCall } from '../types.ts'
import { isRecord, type Endpoint } from './endpoint.ts'
import { RequestError } from './request-error.ts'

type Fields = Readonly<Record<string, unknown>>

/**
 * The instructions and the input of a response, as messages in chat form.
 *
 * @throws {RequestError} for an item that has no such form.
 */
export const messagesOfInput: Endpoint['messagesOf'] = (body) => {
  const { input, instructions, previous_response_id: previous } = body
  if (typeof previous === 'string')
    throw new RequestError(
      400,
      'previous_response_not_found',
      'No response is kept here.',
      'previous_response_id',
    )
  const messages: Message[] = []
  if (typeof instructions === 'string') messages.push({ role: 'system', content: instructions })
  if (typeof input === 'string') return [...messages, { role: 'user', content: input }]
  if (!Array.isArray(input) || input.length === 0)
    throw new RequestError(400, 'missing_input', 'The body has no input: a text or a list of items.', 'input')
  const wrong = input.findIndex((item) => !isRecord(item) || !addItem(messages, item))
  if (wrong >= 0)
    throw new RequestError(
      400,
      'invalid_item',
      'An item is a message, a call of a tool, or what a tool gave back.',
      `input[${wrong}]`,
    )
  return messages
}

/** Adds what an item says. False when it is none that has a form in chat. */
function addItem(messages: Message[], item: Fields): boolean {
  switch (item['type'] ?? 'message') {
    case 'message':
      return addMessage(messages, item)
    case 'function_call':
    case 'custom_tool_call':
      return addCall(messages, item)
    case 'function_call_output':
    case 'custom_tool_call_output':
      return addResult(messages, item)
    // what a model thought before it answered is no message
    case 'reasoning':
      return true
    default:
      return false
  }
}

function addMessage(messages: Message[], { role, content: given }: Fields): boolean {
  const content = contentOf(given)
  if (content === undefined) return false
  if (role === 'user' && holdsOnly(content, 'text', 'image_url', 'file')) messages.push({ role, content })
  else if (role === 'assistant' && holdsOnly(content, 'text', 'refusal')) messages.push({ role, content })
  else if ((role === 'system' || role === 'developer') && holdsOnly(content, 'text'))
    messages.push({ role, content })
  else return false
  return true
}

/** In chat form the calls stand in the assistant's message, which may hold its text as well. */
function addCall(messages: Message[], { type, call_id: id, name, arguments: args, input }: Fields): boolean {
  if (typeof id !== 'string' || typeof name !== 'string') return false
  const text = type === 'function_call' ? args : input
  if (typeof text !== 'string') return false
  const call: ToolCall =
    type === 'function_call'
      ? { id, type: 'function', function: { name, arguments: text } }
      : { id, type: 'custom', custom: { name, input: text } }
  const last = messages.at(-1)
  if (last?.role === 'assistant') last.tool_calls = [...(last.tool_calls ?? []), call]
  else messages.push({ role: 'assistant', content: null, tool_calls: [call] })
  return true
}

function addResult(messages: Message[], { call_id: id, output }: Fields): boolean {
  const content = contentOf(output)
  if (typeof id !== 'string' || content === undefined || !holdsOnly(content, 'text')) return false
  messages.push({ role: 'tool', tool_call_id: id, content })
  return true
}

/** Whether a content is a text, or has parts of these types alone. */
function holdsOnly<Type extends ContentPart['type']>(
  content: string | ContentPart[],
  ...types: Type[]
): content is string | Extract<ContentPart, { type: Type }>[] {
  return typeof content === 'string' || content.every(({ type }) => types.some((one) => one === type))
}

/** A content in chat form, or undefined where it has none. */
function contentOf(content: unknown): string | ContentPart[] | undefined {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return undefined
  const parts = content.map(partOf)
  return parts.every((part) => part !== undefined) ? parts : undefined
}

function partOf(part: unknown): ContentPart | undefined {
  if (!isRecord(part)) return undefined
  const { type, text, refusal } = part
  switch (type) {
    case 'input_text':
    case 'output_text':
      return typeof text === 'string' ? { type: 'text', text } : undefined
    case 'refusal':
      return typeof refusal === 'string' ? { type, refusal } : undefined
    case 'input_image':
      return { type: 'image_url', image_url: { url: String(part['image_url'] ?? part['file_id']) } }
    case 'input_file':
      return { type: 'file', file: { filename: String(part['filename'] ?? part['file_id']) } }
    default:
      return undefined
  }
}
