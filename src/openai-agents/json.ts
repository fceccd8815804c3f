import { InvalidMessageError } from '../errors.ts'
import { kindOf } from '../redact.ts'

/** An object of JSON. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Levels of objects and arrays in an item; a message around it has three more, of the 200 that the store takes. */
const MAX_DEPTH = 190

/** The key of what stands for bytes; with more `$` before it, of an object that has such a key itself. */
const BYTES_KEY = /^\$+bytes$/

/**
 * A copy that JSON can hold: bytes stand as `{ $bytes: base64 }`, fields that are undefined are left out.
 *
 * @throws {InvalidMessageError} for what {@link fromJsonForm} could not give back: a Date, NaN, a hole in an array.
 */
export function toJsonForm(value: unknown, depth = 0): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (Number.isFinite(value)) return value
  if (depth > MAX_DEPTH) {
    throw new InvalidMessageError(`An item is nested deeper than ${MAX_DEPTH} levels, or refers to itself.`)
  }
  if (Array.isArray(value)) return Array.from(value, (element) => toJsonForm(element, depth + 1))
  if (isBytes(value)) {
    return { $bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
  }
  if (!isPlain(value))
    throw new InvalidMessageError(`An item holds ${kindOf(value)}, which JSON cannot keep.`)
  const entries = Object.entries(value).filter(([, field]) => field !== undefined)
  const [[only = ''] = []] = entries
  const isEscaped = entries.length === 1 && BYTES_KEY.test(only)
  return Object.fromEntries(
    entries.map(([key, field]) => [isEscaped ? `$${key}` : key, toJsonForm(field, depth + 1)]),
  )
}

/** What {@link toJsonForm} made the copy of. */
export function fromJsonForm(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromJsonForm)
  if (!isObject(value)) return value
  const entries = Object.entries(value)
  const [[only = '', field] = []] = entries
  if (entries.length !== 1 || !BYTES_KEY.test(only)) {
    return Object.fromEntries(entries.map(([key, entry]) => [key, fromJsonForm(entry)]))
  }
  return only === '$bytes' && typeof field === 'string'
    ? Uint8Array.from(Buffer.from(field, 'base64'))
    : { [only.slice(1)]: fromJsonForm(field) }
}

/** JSON text that is the same for the same value, whatever the order of its keys. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, entry: unknown) =>
    isObject(entry) ? Object.fromEntries(Object.entries(entry).toSorted(byKey)) : entry,
  )
}

/** Whether a value is an object of JSON, and no array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function byKey([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : 1
}

/** Named by its tag, since a test runner's sandbox has classes of its own. */
function isBytes(value: unknown): value is Uint8Array {
  return Object.prototype.toString.call(value) === '[object Uint8Array]'
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
