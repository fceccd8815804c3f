import { createSecretKey, type KeyObject } from 'node:crypto'
import { InvalidArgumentError } from '../errors.ts'
import { kindOf } from '../redact.ts'

/** Bytes of a key for AES-256, and of one to derive such keys from. */
export const KEY_BYTES = 32

/** What may name a key. It stands in each row that is encrypted with it, and in errors. */
export const KEY_ID = /^[A-Za-z0-9._-]{1,64}$/

/** The master keys by id, as objects that show their bytes to nobody. @throws {InvalidArgumentError} */
export function checkKeys(keys: unknown): ReadonlyMap<string, KeyObject> {
  const entries = typeof keys === 'object' && keys !== null ? Object.entries(keys) : []
  if (entries.length > 0) return new Map(entries.map(([id, key]) => [checkKeyId(id), toKey(id, key)]))
  throw new InvalidArgumentError(`keys must be an object of at least one key by its id; got ${kindOf(keys)}.`)
}

/** The id of the key that is to encrypt: the one that was named, or else the only one. @throws {InvalidArgumentError} */
export function checkCurrent(current: unknown, keys: ReadonlyMap<string, KeyObject>): string {
  const [only, ...others] = keys.keys()
  if (current === undefined && only !== undefined && others.length === 0) return only
  if (typeof current === 'string' && keys.has(current)) return current
  throw new InvalidArgumentError(
    `current must be the id of one of the ${keys.size} keys, the one to encrypt with; got ${kindOf(current)}.`,
  )
}

function checkKeyId(id: string): string {
  if (KEY_ID.test(id)) return id
  throw new InvalidArgumentError(
    `A key's id is 1 to 64 of the characters A-Z a-z 0-9 . _ and -; got ${kindOf(id)}.`,
  )
}

function toKey(id: string, key: unknown): KeyObject {
  const bytes = typeof key === 'string' ? fromBase64(key) : key
  if (bytes instanceof Uint8Array && bytes.length === KEY_BYTES)
    return createSecretKey(Uint8Array.from(bytes))
  throw new InvalidArgumentError(
    `The key '${id}' must be ${KEY_BYTES} bytes, as a Uint8Array or in base64 (openssl rand -base64 32); got ${kindOf(key)}.`,
  )
}

/** Undefined for what is not exactly base64: Node's decoder skips what it does not know. */
export function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}
