import { reduceCause } from './redact.ts'
import type { Message, Metadata } from './types.ts'

/**
 * The base of every error that backscroll throws by itself. `code` is stable: switch on it, or on the class.
 * No message, property or cause holds a user's text, a password or a connection URL.
 */
export abstract class BackscrollError extends Error {
  abstract readonly code: string

  /**
   * Whether what the call was to write may be stored all the same. False: it is not. True: make the call again with the
   * same idempotency key, or look before writing again.
   */
  get mayBeStored(): boolean {
    return false
  }

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options && 'cause' in options ? { cause: reduceCause(options.cause) } : undefined)
    // The class's own name, so that a log line says what happened; not enumerable, as on built-in errors.
    Object.defineProperty(this, 'name', { value: new.target.name, configurable: true, writable: true })
  }
}

/** An argument is wrong; nothing was read or written. Fix the call. The subclasses say which kind of argument. */
export class InvalidArgumentError extends BackscrollError {
  readonly code: string = 'INVALID_ARGUMENT'
}

/** A user id, conversation id or idempotency key is empty, too long, holds NUL or is not well-formed Unicode. */
export class InvalidIdError extends InvalidArgumentError {
  override readonly code = 'INVALID_ID'
}

/** A limit, ratio or position is not a number in its range. */
export class InvalidLimitError extends InvalidArgumentError {
  override readonly code = 'INVALID_LIMIT'
}

/** A message is not in OpenAI chat form, or its content cannot be kept as JSON. */
export class InvalidMessageError extends InvalidArgumentError {
  override readonly code = 'INVALID_MESSAGE'
}

/** A framing that does not exist, or a prefix that would make token counts inexact. */
export class InvalidFramingError extends InvalidArgumentError {
  override readonly code = 'INVALID_FRAMING'
}

/** The encoding is none of those that `ENCODINGS` lists. */
export class UnknownEncodingError extends InvalidArgumentError {
  override readonly code = 'UNKNOWN_ENCODING'
}

/** No encoding is known for the model. Name the encoding instead. */
export class UnknownModelError extends InvalidArgumentError {
  override readonly code = 'UNKNOWN_MODEL'
}

/** The turn holds more characters than the store takes in one turn. */
export class TurnTooLargeError extends InvalidArgumentError {
  override readonly code = 'TURN_TOO_LARGE'
}

/** A content part that is not text has no token count under chat framing. Give the conversation a `countPart`. */
export class MissingTokenCountError extends InvalidArgumentError {
  override readonly code = 'MISSING_TOKEN_COUNT'
}

/** Which of several input or output values is meant cannot be told, or it is not there. Name it with `inputKey` or `outputKey`. */
export class UnresolvedKeyError extends InvalidArgumentError {
  override readonly code = 'UNRESOLVED_KEY'
}

/** The idempotency key already stands for a turn with other messages, which was kept. Use a new key for new content. */
export class IdempotencyConflictError extends BackscrollError {
  readonly code = 'IDEMPOTENCY_CONFLICT'
}

/** The last turn is not at the position that the caller expected; nothing was written. Load again, then decide. */
export class PositionConflictError extends BackscrollError {
  readonly code = 'POSITION_CONFLICT'
  readonly expectedPosition: number
  readonly actualPosition: number

  constructor(expectedPosition: number, actualPosition: number) {
    super(
      `The last turn is at position ${actualPosition}, not at the expected ${expectedPosition}. ` +
        'Nothing was written. Load the conversation again and decide whether the turn still applies.',
    )
    this.expectedPosition = expectedPosition
    this.actualPosition = actualPosition
  }
}

/** The newest messages are others than the caller expected; nothing was written. Load again, then decide. */
export class MessagesConflictError extends BackscrollError {
  readonly code = 'MESSAGES_CONFLICT'
}

/** The database could not be reached or was busy until the deadline. Nothing was written: the call may be made again. */
export class DatabaseUnavailableError extends BackscrollError {
  readonly code = 'DATABASE_UNAVAILABLE'
}

/**
 * The connection or the deadline was lost while a write was under way: it may or may not have been stored.
 * Make the call again with the same idempotency key; without one, look before writing again.
 */
export class OutcomeUnknownError extends BackscrollError {
  readonly code = 'OUTCOME_UNKNOWN'

  override get mayBeStored(): boolean {
    return true
  }
}

/** The database refused the statement. `cause` names its error code. Nothing was written, and the same call would fail again. */
export class DatabaseError extends BackscrollError {
  readonly code = 'DATABASE_ERROR'
}

/** backscroll's tables are not there, or are older than this version. Call `store.migrate()`. */
export class NotMigratedError extends BackscrollError {
  readonly code = 'NOT_MIGRATED'
}

/**
 * The store was to rely on row-level security, and the database does not give it: the policies are not there or not
 * forced, or the role can go round them. Nothing was read or written.
 */
export class RowLevelSecurityError extends BackscrollError {
  readonly code = 'ROW_LEVEL_SECURITY'
}

/** What is stored cannot be read back: it was changed by something else than backscroll. */
export class CorruptDataError extends BackscrollError {
  readonly code = 'CORRUPT_DATA'
}

/**
 * What is stored is encrypted, and its key is not there: the store has no codec, or the codec was not given the key of
 * this id, or the user's secret is gone, and with it, for good, all that the user said.
 */
export class MissingKeyError extends BackscrollError {
  readonly code = 'MISSING_KEY'
}

/** The npm package that speaks to this database is not installed, or not in a version that works. */
export class MissingDriverError extends BackscrollError {
  readonly code = 'MISSING_DRIVER'
}

/** The store was closed; open another. */
export class StoreClosedError extends BackscrollError {
  readonly code = 'STORE_CLOSED'
}

/** A better-sqlite3 transaction is synchronous: inside it, call `appendSync` and `loadWindowSync`. */
export class SynchronousTransactionError extends BackscrollError {
  readonly code = 'SYNCHRONOUS_TRANSACTION'
}

/** What a turn is made of, for whoever saves it later. */
export interface UnsavedTurn {
  readonly reply: string
  readonly messages: readonly Message[]
  readonly idempotencyKey: string
  readonly metadata?: Metadata | undefined
}

/**
 * The model answered, and the turn could not be saved: `cause` says why. The answer is paid for, so it is here with all
 * that it takes to save it later: `memory.conversation.append(error.messages, error)`. If an earlier try did store it,
 * its key finds it. None of the four shows in logs: they are not enumerable.
 */
export class SaveFailedError extends BackscrollError {
  readonly code = 'SAVE_FAILED'
  declare readonly reply: string
  declare readonly messages: readonly Message[]
  declare readonly idempotencyKey: string
  /** Given where what came of a reply was to be kept; see `keepPartial`. */
  declare readonly metadata: Metadata | undefined
  readonly #mayBeStored: boolean

  constructor(message: string, options?: { cause?: unknown; turn: UnsavedTurn }) {
    super(message, options)
    this.#mayBeStored = options?.cause instanceof BackscrollError && options.cause.mayBeStored
    const { reply, messages, idempotencyKey, metadata } = options?.turn ?? {}
    for (const [name, value] of Object.entries({ reply, messages, idempotencyKey, metadata })) {
      Object.defineProperty(this, name, { value, enumerable: false })
    }
  }

  override get mayBeStored(): boolean {
    return this.#mayBeStored
  }
}

/** The model's reply broke off or was refused by its server, without an error of the client. Ask again. */
export class IncompleteReplyError extends BackscrollError {
  readonly code = 'INCOMPLETE_REPLY'
}

/**
 * The idempotency key stands for what came of a reply that broke off, kept by `keepPartial`, which is no answer. The
 * same call would fail again: drop that turn with `rewind`, or use a new key.
 */
export class PartialReplyError extends BackscrollError {
  readonly code = 'PARTIAL_REPLY'
}

/** The model was silent for longer than `deadlineMs`. Ask again, or allow it more time. */
export class ModelTimeoutError extends BackscrollError {
  readonly code = 'MODEL_TIMEOUT'
}

/** System message, tools, input and what tools gave back leave no room for a reply. Shorten them, or name a larger window. */
export class ContextWindowExceededError extends BackscrollError {
  readonly code = 'CONTEXT_WINDOW_EXCEEDED'
}

/** The model went on calling tools for more rounds than `maxToolRounds`. Look at what the tools answer. */
export class ToolLoopError extends BackscrollError {
  readonly code = 'TOOL_LOOP'
}
