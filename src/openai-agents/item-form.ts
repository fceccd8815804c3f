import type { AgentInputItem } from '@openai/agents-core'
import { CorruptDataError } from '../errors.ts'
import { calledBy } from '../store/called-by.ts'
import { fromJson } from '../store/codec.ts'
import type { Message, ToolMessage } from '../types.ts'
import { fromJsonForm, isObject, type JsonObject } from './json.ts'
import { isPart, isParts, toItemPart } from './parts.ts'
import { itemContent, itemOutput, plainItems } from './plain-items.ts'

/** A message that stands for one item, with what the message itself does not give of the item. */
export type ItemMessage = Message & { readonly agents_item?: JsonObject }

/**
 * Messages as items: what a session stored, exactly as it was; and what others stored, as the items that say the same.
 * An answer of theirs that calls tools may be several items.
 *
 * @throws {CorruptDataError} when a message is not what a session stored.
 */
export function toItems(messages: readonly Message[]): AgentInputItem[] {
  const names = new Map<unknown, unknown>()
  return messages.flatMap((message: ItemMessage) => {
    const own: unknown = message.agents_item
    const items = own === undefined ? plainItems(message, names) : [ownItem(message, own)]
    for (const { type, callId, name } of items) if (type === 'function_call') names.set(callId, name)
    return items as unknown as AgentInputItem[]
  })
}

/**
 * The fields of an item that its message holds, by what else is known of the item: a type, or a message's role.
 *
 * @throws {CorruptDataError} when the message holds no such item.
 */
export function givenBy(message: Message, { type, role }: JsonObject): JsonObject {
  if (role !== undefined && (type === undefined || type === 'message'))
    return { content: itemContent(message) }
  if (message.role === 'tool') return givenByResult(message, type)
  const [call] = (message.role === 'assistant' && message.tool_calls) || []
  if (call) {
    const called = calledBy(call)
    return { callId: call.id, ...(type === 'function_call' ? called : parsed(called.arguments)) }
  }
  const { content } = message
  return Array.isArray(content)
    ? { content: content.map((part) => toItemPart(part, 'user')) }
    : parsed(content)
}

function givenByResult(message: ToolMessage, type: unknown): JsonObject {
  const { content, tool_call_id: callId } = message
  if (type === 'function_call_result') return { callId, output: itemOutput(message) }
  if (!Array.isArray(content)) return { callId, ...parsed(content) }
  const [screen] = content.map((part) => toItemPart(part, 'user'))
  return { callId, output: { type: 'computer_screenshot', data: screen?.['image'] } }
}

function parsed(text: unknown): JsonObject {
  const json = typeof text === 'string' ? fromJson(text) : undefined
  if (isObject(json)) return json
  throw notStored()
}

function ownItem(message: Message, own: unknown): JsonObject {
  if (!isObject(own)) throw notStored()
  const given = givenBy(message, own)
  const fields = Object.entries(own).map(([key, value]) => [key, merged(given[key], value)] as const)
  // `own` for the order of the keys alone: who prints an item wants its type first.
  return fromJsonForm({ ...own, ...given, ...Object.fromEntries(fields) }) as JsonObject
}

/** A part without a type is what is missing of the part that the message gives. */
function merged(given: unknown, own: unknown): unknown {
  if (isPart(given) && isObject(own)) return 'type' in own ? own : { ...given, ...own }
  if (!isParts(given) || !Array.isArray(own) || given.length !== own.length) return own
  return own.map((part, index) => merged(given[index], part))
}

function notStored(): CorruptDataError {
  return new CorruptDataError('A stored message is not what a session stored: something else changed it.')
}
