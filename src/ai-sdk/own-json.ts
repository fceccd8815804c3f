import { CorruptDataError, InvalidMessageError } from '../errors.ts'
import { kindOf } from '../redact.ts'
import { fromJson } from '../store/codec.ts'
import type { Message } from '../types.ts'

/** The way to a text in some messages: indexes and keys. */
type Path = readonly (string | number)[]

/** Shorter texts are written again rather than pointed at. */
const MIN_POINTED_AT = 48

/** Levels of objects and arrays in a message; the field around it has three more, of the 200 that the store takes. */
const MAX_DEPTH = 190

/** What a message's own JSON need not repeat, since the messages beside it hold it. */
export class HeldTexts {
  readonly #paths = new Map<string, Path>()
  readonly #jsonOf: ReadonlyMap<unknown, string>

  /** @param jsonOf values that stand in the messages as JSON text, and that text. */
  constructor(messages: readonly Message[], jsonOf: ReadonlyMap<unknown, string>) {
    this.#jsonOf = jsonOf
    this.#collect(messages, [])
  }

  /** What points at a value that the messages hold; undefined where it has to be written. */
  pointer(value: unknown): Readonly<Record<string, unknown>> | undefined {
    if (typeof value === 'string') {
      const path = this.#paths.get(value)
      return path && { $text: path }
    }
    const json = this.#jsonOf.get(value)
    const path = json === undefined ? undefined : this.#paths.get(json)
    // A Date or bytes among the values would come back as the text that JSON made of them.
    return path && JSON.stringify(toOwnJson(value)) === json ? { $json: path } : undefined
  }

  #collect(value: unknown, path: Path): void {
    if (typeof value === 'string' && value.length >= MIN_POINTED_AT) {
      if (!this.#paths.has(value)) this.#paths.set(value, path)
    } else if (typeof value === 'object' && value !== null) {
      const entries = Array.isArray(value) ? value.entries() : Object.entries(value)
      for (const [key, item] of entries) this.#collect(item, [...path, key])
    }
  }
}

/**
 * A value as JSON can hold it: bytes, URLs and dates stand as `{ $bytes: base64 }` and the like, what is undefined is
 * left out, and what `held` holds is pointed at. Other objects are what JSON makes of them.
 *
 * @throws {InvalidMessageError} for a value that refers to itself, or that JSON would empty or refuse: a Map, NaN, a bigint.
 */
export function toOwnJson(value: unknown, held?: HeldTexts, depth = 0): unknown {
  const pointer = held?.pointer(value)
  if (pointer) return pointer
  if (typeof value !== 'object' || value === null) return checkKept(value)
  if (depth > MAX_DEPTH) {
    throw new InvalidMessageError(`A message is nested deeper than ${MAX_DEPTH} levels, or refers to itself.`)
  }
  if (Array.isArray(value)) return Array.from(value, (item) => toOwnJson(item, held, depth + 1))
  const tag = Object.prototype.toString.call(value)
  if (tag === '[object Map]' || tag === '[object Set]') {
    throw new InvalidMessageError('A message holds a Map or a Set, which JSON cannot keep.')
  }
  const written = WRITTEN_AS.get(tag)?.(value)
  if (written) return written
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    return toOwnJson(value.toJSON(), held, depth + 1)
  }
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  const isEscaped = entries.length === 1 && entries[0]![0].startsWith('$')
  return Object.fromEntries(
    entries.map(([key, item]) => [isEscaped ? `$${key}` : key, toOwnJson(item, held, depth + 1)]),
  )
}

/**
 * What {@link toOwnJson} made the JSON of, given the messages that it points into.
 *
 * @throws {CorruptDataError} for what it did not make.
 */
export function fromOwnJson(value: unknown, messages: readonly Message[]): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => fromOwnJson(item, messages))
  const entries = Object.entries(value)
  const [key, item] = entries.length === 1 ? entries[0]! : ['', undefined]
  if (!key.startsWith('$')) {
    return Object.fromEntries(entries.map(([name, field]) => [name, fromOwnJson(field, messages)]))
  }
  if (key.startsWith('$$')) return { [key.slice(1)]: fromOwnJson(item, messages) }
  if (key === '$text') return textAt(messages, item)
  if (key === '$json') return fromJson(textAt(messages, item))
  const read = READ_AS.get(key)
  if (!read || typeof item !== 'string') throw changed()
  return read(item)
}

/** By their tags, since a test runner's sandbox has classes of its own. */
const WRITTEN_AS: ReadonlyMap<string, (value: object) => object | undefined> = new Map([
  ['[object Uint8Array]', bytesAsJson],
  ['[object ArrayBuffer]', (value) => ({ $array_buffer: base64(new Uint8Array(value as ArrayBuffer)) })],
  ['[object URL]', (value) => ({ $url: (value as URL).href })],
  ['[object Date]', dateAsJson],
])

const READ_AS: ReadonlyMap<string, (text: string) => unknown> = new Map<string, (text: string) => unknown>([
  ['$bytes', (text) => Uint8Array.from(Buffer.from(text, 'base64'))],
  ['$buffer', (text) => Buffer.from(text, 'base64')],
  ['$array_buffer', (text) => Uint8Array.from(Buffer.from(text, 'base64')).buffer],
  ['$url', readUrl],
  ['$date', (text) => new Date(text)],
])

function checkKept(value: unknown): unknown {
  const isKept = ['string', 'boolean', 'undefined'].includes(typeof value) || value === null
  if (isKept || Number.isFinite(value)) return value
  throw new InvalidMessageError(`A message holds ${kindOf(value)}, which JSON cannot keep.`)
}

/** @throws {InvalidMessageError} for a date that is none. */
function dateAsJson(value: object): object {
  checkKept((value as Date).getTime())
  return { $date: (value as Date).toISOString() }
}

function readUrl(text: string): URL {
  if (URL.canParse(text)) return new URL(text)
  throw changed()
}

function bytesAsJson(value: object): object {
  const bytes = value as Uint8Array
  return Buffer.isBuffer(bytes) ? { $buffer: base64(bytes) } : { $bytes: base64(bytes) }
}

/** Bytes as base64 text. */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function textAt(messages: readonly Message[], path: unknown): string {
  let value: unknown = messages
  for (const key of Array.isArray(path) ? path : [])
    value = (value as Record<string, unknown> | undefined)?.[key]
  if (typeof value !== 'string') throw changed()
  return value
}

function changed(): CorruptDataError {
  return new CorruptDataError(
    "A stored message's ai_sdk field is not what was stored: something else changed it.",
  )
}
