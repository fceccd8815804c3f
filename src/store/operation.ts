import { createHash } from 'node:crypto'
import type { Operation } from '../dialect/rewrite.ts'
import { IdempotencyConflictError } from '../errors.ts'
import type { Message } from '../types.ts'
import { checkIdempotencyKey } from './arguments.ts'

/** What an operation is to change: the messages that it expects, and those that it adds. */
export interface Change {
  readonly expected?: readonly Message[]
  readonly added: readonly Message[]
}

/** A change under its key. The fingerprint is the same for the same change, whatever the order of its objects' keys. */
export function toOperation(idempotencyKey: string, change: Change): Operation {
  const fingerprint = createHash('sha256')
    .update(JSON.stringify(inOrder(change)))
    .digest('base64')
  return { id: checkIdempotencyKey(idempotencyKey), fingerprint }
}

/** @throws {IdempotencyConflictError} when what was made under the key is another change. */
export function checkSameChange(operation: Operation, made: string): void {
  if (made === operation.fingerprint) return
  throw new IdempotencyConflictError(
    'The idempotency key stands for another change of this conversation, which was kept; nothing was written. ' +
      'Use a new key for a new change.',
  )
}

/** A value with the keys of its objects in one order. JSON values only, and no deeper than messages may be. */
function inOrder(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(inOrder)
  const entries = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1))
  // As pairs: `__proto__` is a key like any other. And within an object, which no array is.
  return { entries: entries.map(([key, item]) => [key, inOrder(item)]) }
}
