import type { AppendOutcome, CountingRule } from '../dialect/dialect.ts'
import { IdempotencyConflictError, PositionConflictError } from '../errors.ts'
import type { Message } from '../types.ts'
import { checkIdempotencyKey, checkOptions, checkWhole } from './arguments.ts'
import { encodeMessages, encodeMetadata, sameJson } from './codec.ts'
import type { AppendOptions } from './options.ts'

/** A turn that was checked and encoded, and is yet to be counted and stored. */
export interface Draft {
  /** The messages as they will be read back. */
  readonly messages: Message[]
  /** What goes into the turn's row as it is. */
  readonly row: {
    readonly messages: string
    readonly metadata: string | null
    readonly idempotencyKey: string | null
    readonly expectedPosition: number | null
  }
}

/** Checks what is to be appended and encodes it. */
export function draftTurn(
  messages: unknown,
  options: AppendOptions | undefined,
  maxCharacters: number,
): Draft {
  const { idempotencyKey, expectedPosition, metadata } = checkOptions('append', options)
  const encoded = encodeMessages(messages, maxCharacters)
  return {
    messages: encoded.messages,
    row: {
      messages: encoded.json,
      metadata: encodeMetadata(metadata, maxCharacters),
      idempotencyKey: idempotencyKey === undefined ? null : checkIdempotencyKey(idempotencyKey),
      expectedPosition:
        expectedPosition === undefined ? null : checkWhole('expectedPosition', expectedPosition, 0),
    },
  }
}

/**
 * Throws what the outcome of an append says to its caller; passes an outcome that is fine, or that calls for new counts
 * or another start.
 */
export function checkOutcome({ row }: Draft, outcome: AppendOutcome): void {
  if (outcome.kind === 'refused') {
    const newest = outcome.head?.newestPosition ?? 0
    if (row.expectedPosition !== null && row.expectedPosition !== newest) {
      throw new PositionConflictError(row.expectedPosition, newest)
    }
  } else if (outcome.kind === 'replayed' && !sameJson(outcome.turn.messages, row.messages)) {
    throw new IdempotencyConflictError(
      `The idempotency key stands for the turn at position ${outcome.turn.position}, whose messages are others. ` +
        'That turn was kept and nothing was written. Use a new key for new content.',
    )
  }
}

/** The rule that the counts behind an append's outcome belong to; undefined where there are none. */
export function ruleOf(outcome: AppendOutcome): CountingRule | undefined {
  return outcome.kind === 'refused' ? outcome.head : outcome.rule
}
