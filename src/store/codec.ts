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
  if (!Array.isArray(value)) throw notATurn(value)
  const { json, readBack } = encode(value, maxCharacters, 'A message')
  return { json, messages: checkMessages(readBack) }
}

/**
 * Any number of messages, as they will be read back; how long a turn of them may be is for whoever makes turns of them.
 *
 * @throws {InvalidMessageError} for what {@link encodeMessages} throws it for, but for no messages.
 */
export function checkMessageList(name: string, value: unknown): Message[] {
  if (!Array.isArray(value)) {
    throw new InvalidMessageError(`${name} must be an array of messages; got ${kindOf(value)}.`)
  }
  const { readBack } = encode(value, Number.MAX_SAFE_INTEGER, 'A message', Number.MAX_SAFE_INTEGER)
  return value.length === 0 ? [] : checkMessages(readBack)
}

/** Encodes metadata: an object that JSON can hold, or nothing. @throws {InvalidArgumentError} for anything else. */
export function encodeMetadata(value: unknown, maxCharacters: number): string | null {
  if (value === undefined || value === null) return null
  const { json, readBack } = isObject(value)
    ? encode(value, maxCharacters, 'metadata')
    : { json: '', readBack: value }
  if (isObject(readBack)) return json
  throw new InvalidArgumentError(`metadata must be an object; got ${kindOf(readBack)}.`)
}

/** Reads stored messages back. @throws {CorruptDataError} when they are not what was stored. */
export function decodeMessages(json: string): Message[] {
  const messages = fromJson(json)
  try {
    return checkMessages(messages)
  } catch {
    throw new CorruptDataError('Stored messages are not in OpenAI chat form: something else changed them.')
  }
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

function checkMessages(messages: unknown): Message[] {
  if (!Array.isArray(messages) || messages.length === 0) throw notATurn(messages)
  messages.forEach(checkMessage)
  return messages as Message[]
}

function notATurn(value: unknown): InvalidMessageError {
  return new InvalidMessageError(`A turn is an array of at least one message; got ${kindOf(value)}.`)
}

function checkMessage(message: unknown, index: number): void {
  const fault = faultOf(message)
  if (fault) throw new InvalidMessageError(`messages[${index}]${fault.what}; got ${kindOf(fault.found)}.`)
}

/** Where a message is not in OpenAI chat form, what it must be there, and what was found instead. */
interface Fault {
  readonly what: string
  readonly found: unknown
}

/** Runs for every message that is loaded, and so makes nothing where there is no fault. */
function faultOf(message: unknown): Fault | undefined {
  if (!isObject(message)) return { what: ' must be an object with a role and content', found: message }
  const { role, content, name, refusal, tool_calls: toolCalls, tool_call_id: toolCallId } = message
  if (!ROLES.includes(role as string)) {
    return { what: `.role must be one of ${ROLES.join(', ')}`, found: role }
  }
  if (Array.isArray(content)) {
    for (const part of content) {
      const what = faultOfPart(part)
      if (what !== undefined) return { what: `.content: ${what}`, found: part }
    }
  } else if (typeof content !== 'string' && !(role === 'assistant' && isMissing(content))) {
    const what = '.content must be a string or an array of content parts (null only from an assistant)'
    return { what, found: content }
  }
  if (!isTextOrMissing(name)) return { what: '.name must be a string', found: name }
  if (!isTextOrMissing(refusal)) return { what: '.refusal must be a string', found: refusal }
  if (!isTextOrMissing(toolCallId)) return { what: '.tool_call_id must be a string', found: toolCallId }
  if (!isMissing(toolCalls) && !(Array.isArray(toolCalls) && toolCalls.every(isObject))) {
    return { what: '.tool_calls must be an array of objects', found: toolCalls }
  }
  return undefined
}

function faultOfPart(part: unknown): string | undefined {
  if (!isObject(part) || typeof part['type'] !== 'string') return 'each part must be an object with a type'
  if (part['type'] === 'text' && typeof part['text'] !== 'string')
    return 'a part of type text must have a text'
  if (part['type'] === 'refusal' && typeof part['refusal'] !== 'string') {
    return 'a part of type refusal must have a refusal'
  }
  return undefined
}

/** Servers that speak OpenAI's protocol send null for what is not there. */
function isMissing(value: unknown): value is null | undefined {
  return value === null || value === undefined
}

function isTextOrMissing(value: unknown): boolean {
  return isMissing(value) || typeof value === 'string'
}

/**
 * A value as JSON text, and as it will be read back, which is what is checked further: a hole in an array, a getter or a
 * toJSON may give something else than the value shows.
 *
 * Bounds the strings together, the roles left out, and what stands around them (names of keys, numbers, brackets).
 */
function encode(
  value: object,
  maxCharacters: number,
  what: string,
  maxStructure = MAX_STRUCTURE,
): { json: string; readBack: unknown } {
  let characters = 0
  let structure = 0
  function check(this: unknown, key: string, item: unknown): unknown {
    const isText = typeof item === 'string' && !(key === 'role' && ROLES.includes(item))
    if (isText) characters += item.length
    structure += (Array.isArray(this) ? 0 : key.length) + (typeof item === 'number' ? String(item).length : 3)
    if (characters > maxCharacters || structure > maxStructure)
      throw new TurnTooLargeError(tooLarge(maxCharacters))
    if (!isKept(item)) throw new InvalidMessageError(`${what} holds ${kindOf(item)}, which JSON cannot keep.`)
    return item
  }
  try {
    // A toJSON may leave nothing at all.
    const json = (JSON.stringify(value, check) as string | undefined) ?? 'null'
    const readBack: unknown = JSON.parse(json)
    if (!isDeeper(readBack, MAX_DEPTH)) return { json, readBack }
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw error
    // No cause: the message of a cyclic value, or of a toJSON of the caller's own, may quote the value.
    throw new InvalidMessageError(
      `${what} cannot be written as JSON: it refers to itself, or its toJSON fails.`,
    )
  }
  throw new InvalidMessageError(`${what} is nested deeper than ${MAX_DEPTH} levels.`)
}

/** `undefined` is left out by JSON, which is what it means. */
function isKept(item: unknown): boolean {
  return ['string', 'boolean', 'object', 'undefined'].includes(typeof item) || Number.isFinite(item)
}

/** The most characters of JSON around a turn's strings, roughly: far more than any message has, few enough to work on. */
const MAX_STRUCTURE = 1_000_000

/** Levels of objects and arrays. Comparing two values is recursive, and overflows the stack at some 2,000. */
const MAX_DEPTH = 200

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((item) => isDeeper(item, levels - 1))
}

function tooLarge(maxCharacters: number): string {
  return (
    `A turn may hold at most ${maxCharacters} characters, and this one holds more. Nothing was written. ` +
    'Shorten it, or open the store with a higher maxTurnCharacters.'
  )
}

/** Reads a stored text. @throws {CorruptDataError} when it is no JSON. */
export function fromJson(json: string): unknown {
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
