import type { SessionHistoryTransactionArgs } from '@openai/agents-core'
import { InvalidArgumentError, InvalidIdError } from '../errors.ts'
import { kindOf } from '../redact.ts'
import type { Message } from '../types.ts'
import { toMessages } from './chat-form.ts'
import { isObject } from './json.ts'

/** A change of a session's history, with its items as messages. `expected` is undefined where they are only added. */
export interface HistoryChange {
  readonly operationId: string
  readonly expected: Message[] | undefined
  readonly added: Message[]
}

/**
 * Checks a transaction of the SDK's and copies it, before anything is waited for.
 *
 * @throws {InvalidArgumentError} | {InvalidIdError} | {InvalidMessageError}
 */
export function toHistoryChange(args: SessionHistoryTransactionArgs): HistoryChange {
  if (!isObject(args)) {
    throw new InvalidArgumentError(`applyHistoryTransaction takes an object; got ${kindOf(args)}.`)
  }
  const { operationId, transaction } = args
  if (typeof operationId !== 'string' || operationId.trim() === '') {
    throw new InvalidIdError(`operationId must be a string that is not blank; got ${kindOf(operationId)}.`)
  }
  if (!isObject(transaction)) {
    throw new InvalidArgumentError(`transaction must be an object; got ${kindOf(transaction)}.`)
  }
  if (transaction.type === 'append_items') {
    return { operationId, expected: undefined, added: toMessages('items', transaction.items) }
  }
  if (transaction.type === 'replace_suffix') {
    return {
      operationId,
      expected: toMessages('expectedSuffix', transaction.expectedSuffix),
      added: toMessages('replacement', transaction.replacement),
    }
  }
  throw new InvalidArgumentError('The type of a transaction must be append_items or replace_suffix.')
}

/** Ids that are keys as they are: those of the SDK's runs are. */
const PLAIN_ID = /^[\x20-\x7e]{1,255}$/
const HASHED = 'sha256:'

/**
 * The idempotency key of an operation, another one for every id. Ids that no key can be, too long or with what a
 * database does not take, are hashed, and so are those that look as if they were.
 */
export async function keyOf(operationId: string): Promise<string> {
  if (PLAIN_ID.test(operationId) && !operationId.startsWith(HASHED)) return operationId
  // As JSON, which writes a lone surrogate as an escape: as UTF-8 any two of them are the same.
  const text = new TextEncoder().encode(JSON.stringify(operationId))
  const hash = await crypto.subtle.digest('SHA-256', text)
  return `${HASHED}${Buffer.from(hash).toString('base64url')}`
}
