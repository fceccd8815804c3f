import type { WindowBounds } from '../dialect/dialect.ts'
import { InvalidArgumentError, InvalidIdError, InvalidLimitError } from '../errors.ts'
import { kindOf } from '../redact.ts'
import type { LoadWindowOptions, MigrateOptions, StoreOptions } from './options.ts'
import type { Codec } from './text-codec.ts'

/** Longest user and conversation id, in UTF-8 bytes: three of them fit a Postgres key, whose limit is 2,704 bytes. */
const MAX_ID_BYTES = 512
/** Longest idempotency key, in UTF-8 bytes. Source: Stripe's limit. */
const MAX_KEY_BYTES = 255
/** Longest name that Postgres keeps whole, in bytes. */
const MAX_ROLE_BYTES = 63

/**
 * A user or conversation id: 1 to 512 UTF-8 bytes of well-formed Unicode without NUL. Compared byte by byte on both
 * databases: case and normalization forms matter.
 *
 * @throws {InvalidIdError}
 */
export function checkId(name: 'userId' | 'conversationId', value: unknown): string {
  return checkText(name, value, MAX_ID_BYTES)
}

/** An idempotency key: 1 to 255 UTF-8 bytes, otherwise like an id. */
export function checkIdempotencyKey(value: unknown): string {
  return checkText('idempotencyKey', value, MAX_KEY_BYTES)
}

function checkText(name: string, value: unknown, maxBytes: number): string {
  const wanted = wantedInstead(value, maxBytes)
  if (wanted === undefined) return value as string
  throw new InvalidIdError(`${name} must be ${wanted}; got ${kindOf(value)}.`)
}

/** Whether a value could be a conversation's id. */
export function isId(value: unknown): value is string {
  return wantedInstead(value, MAX_ID_BYTES) === undefined
}

function wantedInstead(value: unknown, maxBytes: number): string | undefined {
  if (typeof value !== 'string' || value === '') return 'a non-empty string'
  // A NUL ends a text in Postgres' eyes, and two ids that differ in a lone surrogate are one key there.
  if (value.includes('\0') || !value.isWellFormed()) return 'well-formed Unicode without NUL'
  return Buffer.byteLength(value) > maxBytes ? `at most ${maxBytes} UTF-8 bytes` : undefined
}

/** A whole number from `least` to `most`. @throws {InvalidLimitError} for anything else, NaN included. */
export function checkWhole(
  name: string,
  value: unknown,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most)
    return value
  const range = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `from ${least} to ${most}`
  throw new InvalidLimitError(`${name} must be a whole number, ${range}; got ${kindOf(value)}.`)
}

/** A share from 0 to 1. @throws {InvalidLimitError} for anything else, NaN included. */
export function checkRatio(name: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value
  throw new InvalidLimitError(`${name} must be a number from 0 to 1; got ${kindOf(value)}.`)
}

/** True or false. @throws {InvalidArgumentError} for anything else. */
export function checkFlag(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw new InvalidArgumentError(`${name} must be true or false; got ${kindOf(value)}.`)
}

/** An options object, or none. @throws {InvalidArgumentError} for anything else, or a `signal` that is no AbortSignal. */
export function checkOptions<T extends object>(name: string, value: T | undefined): Partial<T> {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidArgumentError(`${name} takes an object of options; got ${kindOf(value)}.`)
  }
  const signal = 'signal' in value ? value.signal : undefined
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new InvalidArgumentError(`signal must be an AbortSignal; got ${kindOf(signal)}.`)
  }
  return value
}

/** Checks a window's options and turns the ratio into a step: how far the window's start moves at a time. */
export function windowBounds(options: LoadWindowOptions): WindowBounds {
  const { maxTokens, retentionRatio = 1 } = checkOptions('loadWindow', options)
  const limit = checkWhole('maxTokens', maxTokens, 0)
  const retained = Math.ceil(limit * checkRatio('retentionRatio', retentionRatio))
  return { maxTokens: limit, step: Math.max(1, limit - retained) }
}

/** What a migration is to do. @throws {InvalidArgumentError} for a role whose name Postgres could not have. */
export function checkMigrateOptions(options: MigrateOptions | undefined): Partial<MigrateOptions> {
  const { signal, rowLevelSecurity } = checkOptions('migrate', options)
  const { role } = checkOptions('rowLevelSecurity', rowLevelSecurity)
  if (role !== undefined) checkText('role', role, MAX_ROLE_BYTES)
  return { signal, rowLevelSecurity }
}

/** A store's options with their defaults filled in. @throws {InvalidLimitError} for one that is out of range. */
export function checkStoreOptions(options: StoreOptions | undefined) {
  const { deadlineMs, maxTurnCharacters, codec, onWarning } = checkOptions('A store', options)
  if (onWarning !== undefined && typeof onWarning !== 'function') {
    throw new InvalidArgumentError(
      `onWarning must be a function (warning) => void; got ${kindOf(onWarning)}.`,
    )
  }
  return {
    onWarning,
    deadlineMs: checkWhole('deadlineMs', deadlineMs ?? 10_000, 1, 3_600_000),
    maxTurnCharacters: checkWhole('maxTurnCharacters', maxTurnCharacters ?? 1_000_000, 1, 4_000_000),
    codec: checkCodec(codec),
  }
}

function checkCodec(codec: Codec | undefined): Codec | undefined {
  if (codec === undefined || typeof codec?.forUser === 'function') return codec
  throw new InvalidArgumentError(`codec must have a method forUser(userId); got ${kindOf(codec)}.`)
}
