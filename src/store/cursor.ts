import type { ListPosition } from '../dialect/dialect.ts'
import { InvalidArgumentError } from '../errors.ts'
import { kindOf } from '../redact.ts'
import { isId } from './arguments.ts'

/** A place in a user's list of conversations as an opaque text, safe in a URL. */
export function encodeCursor({ updatedAt, conversationId }: ListPosition): string {
  return Buffer.from(JSON.stringify([updatedAt, conversationId])).toString('base64url')
}

/** The place that a cursor stands for. @throws {InvalidArgumentError} for what `encodeCursor` did not make. */
export function decodeCursor(cursor: unknown): ListPosition {
  const [updatedAt, conversationId] = typeof cursor === 'string' ? parse(cursor) : []
  if (isTime(updatedAt) && isId(conversationId)) return { updatedAt, conversationId }
  throw new InvalidArgumentError(
    `before must be the cursor of a conversation in a list; got ${kindOf(cursor)}.`,
  )
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function parse(cursor: string): unknown[] {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    return Array.isArray(parsed) ? parsed : []
  } catch {
    return []
  }
}
