import { calledBy } from '../store/called-by.ts'
import type { Message, ToolCall } from '../types.ts'
import type { JsonObject } from './json.ts'
import { toItemPart, type ItemPart } from './parts.ts'

/**
 * A message in chat form as the items that say the same: at least one.
 *
 * @param names of the functions that were called before it, by the calls' ids: a result in chat form has none.
 */
export function plainItems(message: Message, names: ReadonlyMap<unknown, unknown>): JsonObject[] {
  const { role } = message
  if (role === 'tool') {
    const { tool_call_id: callId } = message
    const name = names.get(callId) ?? ''
    return [{ type: 'function_call_result', name, callId, status: 'completed', output: itemOutput(message) }]
  }
  const content = itemContent(message)
  const calls = (role === 'assistant' && message.tool_calls) || []
  const said = {
    type: 'message',
    role: role === 'developer' ? 'system' : role,
    content,
    ...(role === 'assistant' && { status: 'completed' }),
    ...(typeof message.name === 'string' && { providerData: { name: message.name } }),
  }
  return calls.length > 0 && isEmpty(content) ? calls.map(toCall) : [said, ...calls.map(toCall)]
}

/** What a message says, as its item has it: a system's is a string, an assistant's always in parts. */
export function itemContent(message: Message): string | ItemPart[] {
  const { role, content } = message
  if (role === 'assistant') {
    if (typeof content === 'string') return [{ type: 'output_text', text: content }]
    if (content) return content.map((part) => toItemPart(part, role))
    return message.refusal ? [{ type: 'refusal', refusal: message.refusal }] : []
  }
  if (typeof content === 'string') return content
  const parts = content.map((part) => toItemPart(part, 'user'))
  return role === 'user' ? parts : parts.map(({ text }) => text).join('')
}

/** What a tool gave back, as its item has it. */
export function itemOutput({ content }: Message): ItemPart | ItemPart[] {
  if (Array.isArray(content)) return content.map((part) => toItemPart(part, 'user'))
  return { type: 'text', text: content }
}

function toCall(call: ToolCall): JsonObject {
  return { type: 'function_call', callId: call.id, ...calledBy(call), status: 'completed' }
}

function isEmpty(content: string | ItemPart[]): boolean {
  return typeof content !== 'string' && content.every(({ text }) => text === '')
}
