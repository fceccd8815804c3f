import type { AgentInputItem } from '@openai/agents-core'
import { InvalidMessageError } from '../errors.ts'
import { kindOf } from '../redact.ts'
import type { Message } from '../types.ts'
import { givenBy, type ItemMessage } from './item-form.ts'
import { canonicalJson, isObject, toJsonForm, type JsonObject } from './json.ts'
import { isPart, isParts, toChatPart } from './parts.ts'
import { plainItems } from './plain-items.ts'

/**
 * Items as messages, one each.
 *
 * @throws {InvalidMessageError} for what is no item, or holds what JSON cannot keep. Nothing of an item is in the error.
 */
export function toMessages(name: string, items: unknown): Message[] {
  if (Array.isArray(items)) return Array.from(items, toMessage)
  throw new InvalidMessageError(`${name} must be an array of items; got ${kindOf(items)}.`)
}

/**
 * An item as a message in chat form. What the message would not give back of it stands beside it, in `agents_item`; an
 * item that has no chat form is the JSON of it, as a text of the assistant's, so that it has a count.
 *
 * The same item gives the same message, whatever the order of its keys.
 */
export function toMessage(item: AgentInputItem): Message {
  const json = checkItem(toJsonForm(item))
  const message =
    messageForm(json) ?? callForm(json) ?? resultForm(json) ?? reasoningForm(json) ?? textForm(json)
  if (isSame(plainItems(message, new Map()), [json])) return message
  return { ...message, agents_item: missingFrom(givenBy(message, json), json) } as ItemMessage
}

const ROLES: ReadonlySet<unknown> = new Set(['user', 'assistant', 'system'])

function checkItem(item: unknown): JsonObject {
  if (!isObject(item)) throw new InvalidMessageError(`An item must be an object; got ${kindOf(item)}.`)
  const { type, role, content } = item
  if (typeof type === 'string' && type !== 'message') return item
  if (!(type === undefined || type === 'message') || !ROLES.has(role)) {
    throw new InvalidMessageError(
      `An item must have a type, or be a message whose role is user, assistant or system; got ${kindOf(role)}.`,
    )
  }
  if (typeof content === 'string' || isParts(content)) return item
  throw new InvalidMessageError(
    `A message item's content must be a string, or an array of parts with a type; got ${kindOf(content)}.`,
  )
}

function messageForm({ type, role, content }: JsonObject): Message | undefined {
  if (type !== undefined && type !== 'message') return undefined
  const parts = isParts(content) ? content.map(toChatPart) : content
  // An answer that is one text, as nearly all are, is a string, as it is in chat form.
  const [only] = role === 'assistant' && Array.isArray(parts) && parts.length === 1 ? parts : []
  return { role, content: isPart(only) && only['type'] === 'text' ? only['text'] : parts } as Message
}

/** The calls besides a function's that the host answers: of a computer, a shell, a patch. */
const HOST_CALLS: ReadonlySet<unknown> = new Set(['computer_call', 'shell_call', 'apply_patch_call'])
const HOST_RESULTS: ReadonlySet<unknown> = new Set([
  'computer_call_result',
  'shell_call_output',
  'apply_patch_call_output',
])

/** A call that the host answers. One of no function has its type for a name, and its fields for arguments. */
function callForm({ type, callId, ...fields }: JsonObject): Message | undefined {
  const { name, arguments: text } = fields
  const isFunction = type === 'function_call' && typeof name === 'string' && typeof text === 'string'
  if (typeof callId !== 'string' || !(isFunction || HOST_CALLS.has(type))) return undefined
  const call = isFunction
    ? { name, arguments: text }
    : { name: type as string, arguments: canonicalJson(fields) }
  return {
    role: 'assistant',
    content: null,
    tool_calls: [{ id: callId, type: 'function', function: call }],
  }
}

function resultForm({ type, callId, ...fields }: JsonObject): Message | undefined {
  if (typeof callId !== 'string') return undefined
  const { output } = fields
  let content: unknown
  if (type === 'function_call_result') content = outputContent(output)
  else if (type === 'computer_call_result' && isObject(output)) content = screenshotContent(output)
  if (content === undefined && HOST_RESULTS.has(type)) content = canonicalJson(fields)
  return content === undefined ? undefined : ({ role: 'tool', tool_call_id: callId, content } as Message)
}

function outputContent(output: unknown): unknown {
  if (typeof output === 'string') return output
  if (isParts(output)) return output.map(toChatPart)
  if (!isPart(output)) return undefined
  return output['type'] === 'text' && typeof output['text'] === 'string'
    ? output['text']
    : [toChatPart(output)]
}

/** A screenshot is counted as an image, not as the letters of its data. */
function screenshotContent({ data }: JsonObject): unknown {
  return typeof data === 'string' ? [{ type: 'image_url', image_url: { url: data } }] : undefined
}

/** What the model tells of its reasoning. Not in the count: what it has encrypted, which it is given back. */
function reasoningForm({ type, content, rawContent }: JsonObject): Message | undefined {
  if (type !== 'reasoning' || !isParts(content) || rawContent !== undefined) return undefined
  return { role: 'assistant', content: content.map(toChatPart) } as Message
}

function textForm(item: JsonObject): Message {
  return { role: 'assistant', content: canonicalJson(item) }
}

/** The fields of an item that its message does not give, or gives otherwise. */
function missingFrom(given: JsonObject, item: JsonObject): JsonObject {
  const fields = Object.entries(item).filter(
    ([key, value]) => !(Object.hasOwn(given, key) && isSame(given[key], value)),
  )
  return Object.fromEntries(fields.map(([key, value]) => [key, missing(given[key], value)]))
}

/** Of a part of the same type what is missing of it; else all, its type included. */
function missing(given: unknown, value: unknown): unknown {
  if (isPart(given) && isPart(value)) return given.type === value.type ? missingFrom(given, value) : value
  if (!isParts(given) || !isParts(value) || given.length !== value.length) return value
  return value.map((part, index) => missing(given[index], part))
}

function isSame(one: unknown, other: unknown): boolean {
  return canonicalJson(one) === canonicalJson(other)
}
