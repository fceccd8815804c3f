import type {
  AppendOutcome,
  ConversationKey,
  CountingRule,
  Dialect,
  NewTurn,
  Page,
} from '../dialect/dialect.ts'
import { isSync } from '../dialect/dialect.ts'
import {
  DatabaseUnavailableError,
  IdempotencyConflictError,
  PositionConflictError,
  SynchronousTransactionError,
} from '../errors.ts'
import { countTurn, type Counting, type TurnCount } from '../tokens/count.ts'
import { loadEncoder } from '../tokens/encoder.ts'
import { checkEncoding } from '../tokens/encodings.ts'
import { framingName, toFraming } from '../tokens/framing.ts'
import { inSlices } from '../tokens/steps.ts'
import type { Message, Metadata, StoredTurn, Window } from '../types.ts'
import { checkIdempotencyKey, checkOptions, checkRatio, checkWhole } from './arguments.ts'
import type { Calls } from './calls.ts'
import { encodeMessages, encodeMetadata, sameJson, type EncodedMessages } from './codec.ts'
import { Recount } from './recount.ts'
import type {
  AppendOptions,
  CallOptions,
  ListTurnsOptions,
  LoadWindowOptions,
  RecountOptions,
  RewindOptions,
} from './options.ts'
import { toStoredTurn, toWindow } from './turns.ts'

/** What a conversation needs of its store. */
export interface ConversationContext {
  readonly dialect: Dialect
  readonly calls: Calls
  readonly maxTurnCharacters: number
}

/** A turn that was checked and encoded, not yet counted. */
export interface Draft extends EncodedMessages {
  readonly metadata: string | null
  readonly idempotencyKey: string | null
  readonly expectedPosition: number | null
}

/** How often a call starts anew because others changed the conversation at the same time. */
export const MAX_RESTARTS = 100

/**
 * One user's conversation: turns are appended to it, and the newest that fit a limit are loaded from it.
 * Made by `store.conversation(…)`, which reads nothing. It holds no state of the conversation: any number of them, in
 * any number of processes, may work on the same one.
 *
 * Counts belong to an encoding and a framing, which are recorded with the conversation. Where others are recorded than
 * this one was opened with, its turns are counted anew, all at once, before a count is used.
 */
export class Conversation {
  protected readonly key: ConversationKey
  protected readonly context: ConversationContext
  protected counting: Counting

  constructor(context: ConversationContext, key: ConversationKey, counting: Counting) {
    this.context = context
    this.key = key
    this.counting = counting
  }

  get userId(): string {
    return this.key.userId
  }

  get conversationId(): string {
    return this.key.conversationId
  }

  /**
   * Stores a turn: one user input and everything that answers it, tool calls and their results included. The turn is
   * counted here, once. One transaction on SQLite, one statement on Postgres; counting is linear in the text, and gives
   * way to the event loop when the text is long.
   *
   * @throws {InvalidMessageError} | {TurnTooLargeError} | {MissingTokenCountError} before anything is written.
   * @throws {IdempotencyConflictError} when the key stands for other messages.
   * @throws {PositionConflictError} when the last turn is not at `expectedPosition`.
   * @throws {OutcomeUnknownError} when the turn may have been stored; with an idempotency key, append it again.
   */
  async append(messages: readonly Message[], options?: AppendOptions): Promise<StoredTurn> {
    this.#checkMayWait()
    const draft = this.draft(messages, options)
    const signal = options?.signal
    const effect = draft.idempotencyKey === null ? 'once' : 'repeatable'
    for (let restarts = 0; restarts < MAX_RESTARTS; restarts++) {
      const turn = this.newTurn(draft, await this.#count(draft.messages, signal))
      const outcome = await this.context.calls.make(() => this.context.dialect.append(turn), {
        effect,
        signal,
      })
      const stored = this.settle(draft, outcome)
      if (stored) return stored
      await this.#recountIfOutdated(ruleOf(outcome), signal)
    }
    throw restartedTooOften()
  }

  /**
   * The newest whole turns that fit `maxTokens`, oldest first. When not even the newest turn fits, the window is empty:
   * an older, smaller turn never takes its place.
   *
   * One statement, which sums the counts that were stored when the turns were appended; nothing is counted here. It
   * reads the rows it returns and at most one more, however long the conversation is.
   *
   * @throws {InvalidLimitError} for a limit or ratio out of range, NaN included.
   */
  async loadWindow(options: LoadWindowOptions): Promise<Window> {
    this.#checkMayWait()
    const bounds = windowBounds(options)
    const page = await this.#currentPage(
      () => this.context.dialect.loadWindow(this.key, bounds),
      options.signal,
    )
    return toWindow(page)
  }

  /** Turns by rising position: the first ones, or with `before` the newest below it. One statement. */
  async listTurns(options?: ListTurnsOptions): Promise<StoredTurn[]> {
    this.#checkMayWait()
    const { after, before, limit = 100, signal } = checkOptions('listTurns', options)
    const range = {
      after: after === undefined ? undefined : checkWhole('after', after, 0),
      before: before === undefined ? undefined : checkWhole('before', before, 0),
      limit: checkWhole('limit', limit, 1, 1000),
    }
    const { turns } = await this.#currentPage(() => this.context.dialect.listTurns(this.key, range), signal)
    return turns.map((turn) => toStoredTurn(turn))
  }

  /** Drops every turn after the position `to`, and tells how many. Their positions are not used again. */
  async rewind(options: RewindOptions): Promise<{ turns: number }> {
    this.#checkMayWait()
    const { to, signal } = checkOptions('rewind', options)
    const position = checkWhole('to', to, 0)
    const call = { effect: 'repeatable', long: true, signal } as const
    for (let restarts = 0; restarts < MAX_RESTARTS; restarts++) {
      const turns = await this.context.calls.make(() => this.context.dialect.rewind(this.key, position), call)
      if (turns !== undefined) return { turns }
    }
    throw restartedTooOften()
  }

  /** Drops all turns, and tells how many. The conversation stays in its user's list; positions go on rising. */
  clear(options?: CallOptions): Promise<{ turns: number }> {
    return this.rewind({ to: 0, signal: options?.signal })
  }

  /**
   * Counts all turns anew, under another encoding or framing where one is given, and replaces all counts in one
   * transaction; this object counts by the new rule from then on. Reads every turn of the conversation.
   */
  async recount(options?: RecountOptions): Promise<{ turns: number }> {
    this.#checkMayWait()
    const { encoding, framing, signal } = checkOptions('recount', options)
    const counting: Counting = {
      encoding: encoding === undefined ? this.counting.encoding : checkEncoding(encoding),
      framing: framing === undefined ? this.counting.framing : toFraming(framing),
      countPart: this.counting.countPart,
    }
    const turns = await this.#recountAs(counting, signal)
    this.counting = counting
    return { turns }
  }

  /** Keeps an object that JSON can hold beside the conversation, or null for none; `listConversations` returns it. */
  async setMetadata(metadata: Metadata | null, options?: CallOptions): Promise<void> {
    this.#checkMayWait()
    const json = encodeMetadata(metadata, this.context.maxTurnCharacters)
    const { signal } = checkOptions('setMetadata', options)
    const call = { effect: 'repeatable', signal } as const
    await this.context.calls.make(() => this.context.dialect.setMetadata(this.key, this.rule(), json), call)
  }

  /** Checks what is to be appended and encodes it. */
  protected draft(messages: readonly Message[], options: AppendOptions | undefined): Draft {
    const { idempotencyKey, expectedPosition, metadata } = checkOptions('append', options)
    return {
      ...encodeMessages(messages, this.context.maxTurnCharacters),
      metadata: encodeMetadata(metadata, this.context.maxTurnCharacters),
      idempotencyKey: idempotencyKey === undefined ? null : checkIdempotencyKey(idempotencyKey),
      expectedPosition:
        expectedPosition === undefined ? null : checkWhole('expectedPosition', expectedPosition, 0),
    }
  }

  protected newTurn(draft: Draft, count: TurnCount): NewTurn {
    const { json, metadata, idempotencyKey, expectedPosition } = draft
    return {
      ...this.key,
      ...this.rule(),
      ...count,
      messages: json,
      metadata,
      idempotencyKey,
      expectedPosition,
    }
  }

  /** The stored turn; undefined when the conversation has other counts, or changed meanwhile, and the append starts anew. */
  protected settle(draft: Draft, outcome: AppendOutcome): StoredTurn | undefined {
    if (outcome.kind === 'refused') {
      const newest = outcome.head?.newestPosition ?? 0
      const expected = draft.expectedPosition
      if (expected !== null && expected !== newest) throw new PositionConflictError(expected, newest)
      return undefined
    }
    const replayed = outcome.kind === 'replayed'
    if (replayed && !sameJson(outcome.turn.messages, draft.json)) {
      throw new IdempotencyConflictError(
        `The idempotency key stands for the turn at position ${outcome.turn.position}, whose messages are others. ` +
          'That turn was kept and nothing was written. Use a new key for new content.',
      )
    }
    return this.isCurrent(outcome.rule) ? toStoredTurn(outcome.turn, { replayed }) : undefined
  }

  protected rule(): CountingRule {
    return { encoding: this.counting.encoding, framing: framingName(this.counting.framing) }
  }

  /** Whether counts that were recorded under this rule, or none at all, are the ones that this conversation uses. */
  protected isCurrent(recorded: CountingRule | undefined): boolean {
    const { encoding, framing } = this.rule()
    return recorded === undefined || (recorded.encoding === encoding && recorded.framing === framing)
  }

  async #currentPage(read: () => Page | Promise<Page>, signal: AbortSignal | undefined): Promise<Page> {
    for (let restarts = 0; restarts < MAX_RESTARTS; restarts++) {
      const page = await this.context.calls.make(read, { effect: 'read', signal })
      if (this.isCurrent(page.head)) return page
      await this.#recountIfOutdated(page.head, signal)
    }
    throw restartedTooOften()
  }

  async #recountIfOutdated(
    recorded: CountingRule | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (!this.isCurrent(recorded)) await this.#recountAs(this.counting, signal)
  }

  /** Counts outside of any lock, then replaces the counts on condition that the conversation is still what was counted. */
  async #recountAs(counting: Counting, signal: AbortSignal | undefined): Promise<number> {
    const { calls, dialect } = this.context
    const rule = { encoding: counting.encoding, framing: framingName(counting.framing) }
    const encoder = await loadEncoder(counting.encoding)
    for (let restarts = 0; restarts < MAX_RESTARTS; restarts++) {
      const recount = new Recount(encoder, counting)
      const read = () => dialect.listTurns(this.key, recount.nextRange())
      const { head, turns } = await calls.make(read, { effect: 'read', signal })
      if (!head) return 0
      for (
        let rows = turns;
        rows.length > 0;
        { turns: rows } = await calls.make(read, { effect: 'read', signal })
      ) {
        await inSlices(recount.add(rows), signal)
      }
      const replace = () => dialect.replaceCounts(this.key, head, { rule, turns: recount.turns })
      if (await calls.make(replace, { effect: 'repeatable', long: true, signal })) return recount.turns.length
    }
    throw restartedTooOften()
  }

  async #count(messages: readonly Message[], signal: AbortSignal | undefined): Promise<TurnCount> {
    signal?.throwIfAborted()
    const encoder = await loadEncoder(this.counting.encoding)
    return inSlices(countTurn(messages, encoder, this.counting), signal)
  }

  /** Inside a transaction whose body is synchronous, what comes after an await would run outside of it. */
  #checkMayWait(): void {
    const { dialect } = this.context
    if (dialect.inTransaction && isSync(dialect)) {
      throw new SynchronousTransactionError(
        'The body of a better-sqlite3 transaction is synchronous: inside it, call appendSync and loadWindowSync.',
      )
    }
  }
}

/** Checks a window's options and turns the ratio into a step: how far the window's start moves at a time. */
export function windowBounds(options: LoadWindowOptions): { maxTokens: number; step: number } {
  const { maxTokens, retentionRatio = 1 } = checkOptions('loadWindow', options)
  const limit = checkWhole('maxTokens', maxTokens, 0)
  const retained = Math.ceil(limit * checkRatio('retentionRatio', retentionRatio))
  return { maxTokens: limit, step: Math.max(1, limit - retained) }
}

/** The rule that the counts of an append's answer belong to. */
export function ruleOf(outcome: AppendOutcome): CountingRule | undefined {
  return outcome.kind === 'refused' ? outcome.head : outcome.rule
}

export function restartedTooOften(): DatabaseUnavailableError {
  return new DatabaseUnavailableError(
    `Others changed this conversation during each of ${MAX_RESTARTS} tries. Nothing was written; try again.`,
  )
}
