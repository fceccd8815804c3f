import { isDeepStrictEqual } from 'node:util'
import { CorruptDataError, InvalidArgumentError, InvalidMessageError, TurnTooLargeError } from '../errors.ts'
import { kindOf } from '../redact.ts'
import type { Message, Metadata } from '../types.ts'

/** A turn's messages as they will be stored, and as they will be read back. */
export interface EncodedMessages {
  readonly json: string
  readonly messages: Message[]
}

/**
 * Checks a turn's messages and encodes them. JSON text keeps the order of keys, and its escapes carry NUL and lone
 * surrogates through both databases unharmed.
 *
 * @throws {InvalidMessageError} for messages that are not in OpenAI chat form, or hold what JSON cannot keep.
 * @throws {TurnTooLargeError} when their texts hold more than `maxCharacters` UTF-16 units.
 */
export function encodeMessages(value: unknown, maxCharacters: number): EncodedMessages {
  if (!Array.isArray(value) || value.length === 0) {
    throw new InvalidMessageError(`A turn is an array of at least one message; got ${kindOf(value)}.`)
  }
  value.forEach(checkMessage)
  const json = toJson(value, maxCharacters, 'A message')
  return { json, messages: JSON.parse(json) as Message[] }
}

/** Encodes metadata: an object that JSON can hold, or nothing. @throws {InvalidArgumentError} for anything else. */
export function encodeMetadata(value: unknown, maxCharacters: number): string | null {
  if (value === undefined || value === null) return null
  if (!isObject(value)) throw new InvalidArgumentError(`metadata must be an object; got ${kindOf(value)}.`)
  return toJson(value, maxCharacters, 'metadata')
}

/** Reads stored messages back. @throws {CorruptDataError} when they are not what was stored. */
export function decodeMessages(json: string): Message[] {
  const messages = fromJson(json)
  if (!Array.isArray(messages))
    throw new CorruptDataError('Stored messages are not an array: something else changed them.')
  return messages as Message[]
}

/** Reads stored metadata back. @throws {CorruptDataError} when it is not what was stored. */
export function decodeMetadata(json: string | null): Metadata | null {
  if (json === null) return null
  const metadata = fromJson(json)
  if (!isObject(metadata))
    throw new CorruptDataError('Stored metadata is not an object: something else changed it.')
  return metadata
}

/** Whether two JSON texts say the same; the order of keys does not matter. */
export function sameJson(one: string, other: string): boolean {
  return one === other || isDeepStrictEqual(fromJson(one), fromJson(other))
}

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool']

function checkMessage(message: unknown, index: number): void {
  const wrong = (what: string, value: unknown) =>
    new InvalidMessageError(`messages[${index}]${what}; got ${kindOf(value)}.`)
  if (!isObject(message)) throw wrong(' must be an object with a role and content', message)
  const { role, content, name, refusal, tool_calls: toolCalls, tool_call_id: toolCallId } = message
  if (!ROLES.includes(role as string)) throw wrong(`.role must be one of ${ROLES.join(', ')}`, role)

  const mayBeEmpty = role === 'assistant' && (content === null || content === undefined)
  if (!mayBeEmpty && typeof content !== 'string' && !Array.isArray(content)) {
    throw wrong(
      '.content must be a string or an array of content parts (null only from an assistant)',
      content,
    )
  }
  if (Array.isArray(content))
    for (const part of content) checkPart(part, (what) => wrong(`.content: ${what}`, part))
  if (name !== undefined && typeof name !== 'string') throw wrong('.name must be a string', name)
  if (refusal !== undefined && refusal !== null && typeof refusal !== 'string') {
    throw wrong('.refusal must be a string', refusal)
  }
  if (toolCallId !== undefined && typeof toolCallId !== 'string')
    throw wrong('.tool_call_id must be a string', toolCallId)
  if (toolCalls !== undefined && !(Array.isArray(toolCalls) && toolCalls.every(isObject))) {
    throw wrong('.tool_calls must be an array of objects', toolCalls)
  }
}

function checkPart(part: unknown, wrong: (what: string) => InvalidMessageError): void {
  if (!isObject(part) || typeof part['type'] !== 'string')
    throw wrong('each part must be an object with a type')
  if (part['type'] === 'text' && typeof part['text'] !== 'string')
    throw wrong('a part of type text must have a text')
  if (part['type'] === 'refusal' && typeof part['refusal'] !== 'string') {
    throw wrong('a part of type refusal must have a refusal')
  }
}

/** JSON text of a value that survives the way back, and whose strings, roles left out, are not too long together. */
function toJson(value: object, maxCharacters: number, what: string): string {
  let characters = 0
  try {
    return JSON.stringify(value, (key, item: unknown) => {
      if (typeof item === 'string' && key !== 'role') characters += item.length
      if (characters > maxCharacters) throw new TurnTooLargeError(tooLarge(maxCharacters))
      const kept =
        item === null || KEPT.has(typeof item) || (typeof item === 'number' && Number.isFinite(item))
      if (!kept) throw new InvalidMessageError(`${what} holds ${kindOf(item)}, which JSON cannot keep.`)
      return item
    })
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw error
    // No cause: the message of a cyclic value, or of a toJSON of the caller's own, may quote the value.
    throw new InvalidMessageError(
      `${what} cannot be written as JSON: it refers to itself, or its toJSON fails.`,
    )
  }
}

/** `undefined` is left out by JSON, which is what it means. */
const KEPT = new Set(['string', 'boolean', 'object', 'undefined'])

function tooLarge(maxCharacters: number): string {
  return (
    `A turn may hold at most ${maxCharacters} characters, and this one holds more. Nothing was written. ` +
    'Shorten it, or open the store with a higher maxTurnCharacters.'
  )
}

function fromJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    // No cause: the parser's message quotes the text.
    throw new CorruptDataError('A stored row does not hold JSON: something else changed it.')
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
