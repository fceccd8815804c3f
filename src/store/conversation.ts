import type {
  AppendOutcome,
  ConversationKey,
  CountingRule,
  Dialect,
  NewTurn,
  Page,
} from '../dialect/dialect.ts'
import { countTurn, type Counting, type TurnCount } from '../tokens/count.ts'
import { loadEncoder } from '../tokens/encoder.ts'
import { checkEncoding } from '../tokens/encodings.ts'
import { toFraming } from '../tokens/framing.ts'
import { inSlices } from '../tokens/steps.ts'
import type { Message, Metadata, StoredTurn, Window } from '../types.ts'
import { checkIdempotencyKey, checkOptions, checkWhole, windowBounds } from './arguments.ts'
import type { Calls } from './calls.ts'
import { encodeMetadata } from './codec.ts'
import { checkOutcome, draftTurn, ruleOf, type Draft } from './draft.ts'
import type {
  AppendOptions,
  CallOptions,
  ListTurnsOptions,
  LoadWindowOptions,
  RecountOptions,
  RewindOptions,
} from './options.ts'
import { recountAll } from './recount.ts'
import { untilSettled } from './restart.ts'
import { ruleName, ruleNamed, sameRule, type CountedAs } from './rule.ts'
import type { Texts, UserTexts } from './texts.ts'
import { toStoredTurn, toWindow } from './turns.ts'

/** What a conversation needs of its store. */
export interface ConversationContext {
  readonly dialect: Dialect
  readonly calls: Calls
  readonly texts: Texts
  readonly maxTurnCharacters: number
}

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
    const draft = draftTurn(messages, options, this.context.maxTurnCharacters)
    const signal = options?.signal
    const effect = draft.row.idempotencyKey === null ? 'once' : 'repeatable'
    const texts = await this.#texts(signal)
    return untilSettled(async () => {
      // One rule for the count, the row and the answer: recount may give this object another one meanwhile.
      const { counting } = this
      const turn = this.newTurn(draft, await countInSlices(draft.messages, counting, signal), counting)
      const encoded = texts.encodeTurn(turn)
      const append = () => this.context.dialect.append(encoded)
      const outcome = await this.context.calls.make(append, { effect, signal })
      const stored = this.settle(draft, texts.decodeOutcome(this.conversationId, outcome), counting)
      if (!stored && !this.isCurrent(ruleOf(outcome))) await this.#recount(this.counting, texts, signal)
      return stored
    })
  }

  /** Throws what {@link append} would throw for the form and the size of these messages; for whoever has to know beforehand. */
  check(messages: readonly Message[]): void {
    draftTurn(messages, undefined, this.context.maxTurnCharacters)
  }

  /**
   * The newest whole turns that fit `maxTokens`, oldest first. When not even the newest turn fits, the window is empty:
   * an older, smaller turn never takes its place.
   *
   * One statement, which sums the counts that were stored when the turns were appended; nothing is counted here. It
   * reads the rows it returns and at most one more, however long the conversation is.
   *
   * @throws {InvalidLimitError} for a limit or ratio out of range, NaN included.
   * @throws {CorruptDataError} when rows are missing that belong in the window, or cannot be read back.
   */
  async loadWindow(options: LoadWindowOptions): Promise<Window> {
    const bounds = windowBounds(options)
    const load = () => this.context.dialect.loadWindow(this.key, bounds)
    return toWindow(await this.#currentPage(load, options.signal), bounds)
  }

  /** Turns by rising position: the first ones, or with `before` the newest below it. One statement. */
  async listTurns(options?: ListTurnsOptions): Promise<StoredTurn[]> {
    const { after, before, limit = 100, signal } = checkOptions('listTurns', options)
    const range = {
      after: after === undefined ? undefined : checkWhole('after', after, 0),
      before: before === undefined ? undefined : checkWhole('before', before, 0),
      limit: checkWhole('limit', limit, 1, 1000),
    }
    const { turns } = await this.#currentPage(() => this.context.dialect.listTurns(this.key, range), signal)
    return turns.map((turn) => toStoredTurn(turn))
  }

  /** The turn that was appended under an idempotency key, if there is one. One statement, one row. */
  async findTurn(idempotencyKey: string, options?: CallOptions): Promise<StoredTurn | undefined> {
    const name = checkIdempotencyKey(idempotencyKey)
    const { signal } = checkOptions('findTurn', options)
    const { turns } = await this.#currentPage(() => this.context.dialect.findTurn(this.key, name), signal)
    return turns[0] && toStoredTurn(turns[0])
  }

  /**
   * The encoding and framing that the recorded counts belong to, and undefined when nothing is recorded yet. A tool that
   * works on conversations of others opens them with these, so that nothing is counted anew. One statement.
   */
  async countedAs(options?: CallOptions): Promise<CountedAs | undefined> {
    const { signal } = checkOptions('countedAs', options)
    const read = () =>
      this.context.dialect.listTurns(this.key, { after: undefined, before: undefined, limit: 0 })
    const { head } = await this.context.calls.make(read, { effect: 'read', signal })
    return head && ruleNamed(head)
  }

  /**
   * Drops every turn after the position `to`, and tells how many; where a connection broke off and the call was made
   * again, how many were left to drop. Their positions are not used again.
   */
  async rewind(options: RewindOptions): Promise<{ turns: number }> {
    const { to, signal } = checkOptions('rewind', options)
    const position = checkWhole('to', to, 0)
    const call = { effect: 'repeatable', long: true, signal } as const
    const rewind = () => this.context.calls.make(() => this.context.dialect.rewind(this.key, position), call)
    return { turns: await untilSettled(rewind) }
  }

  /** Drops all turns, and tells how many. The conversation stays in its user's list; positions go on rising. */
  async clear(options?: CallOptions): Promise<{ turns: number }> {
    return this.rewind({ to: 0, signal: checkOptions('clear', options).signal })
  }

  /**
   * Counts all turns anew, under another encoding or framing where one is given, and replaces all counts and totals in one
   * transaction; this object counts by the new rule from then on. Reads every turn of the conversation. Counting gives
   * way to the event loop; replacing the counts on SQLite does not (1.4 s for 100,000 turns; Node 20.20, 2 shared cores).
   */
  async recount(options?: RecountOptions): Promise<{ turns: number }> {
    const { encoding, framing, signal } = checkOptions('recount', options)
    const counting: Counting = {
      encoding: encoding === undefined ? this.counting.encoding : checkEncoding(encoding),
      framing: framing === undefined ? this.counting.framing : toFraming(framing),
      countPart: this.counting.countPart,
    }
    // From here on, so that no other call of this object counts back by the old rule what was counted anew.
    const previous = this.counting
    this.counting = counting
    try {
      return { turns: await this.#recount(counting, await this.#texts(signal), signal) }
    } catch (error) {
      this.counting = previous
      throw error
    }
  }

  /** Keeps an object that JSON can hold beside the conversation, or null for none; `listConversations` returns it. */
  async setMetadata(metadata: Metadata | null, options?: CallOptions): Promise<void> {
    const json = encodeMetadata(metadata, this.context.maxTurnCharacters)
    const { signal } = checkOptions('setMetadata', options)
    const place = { conversationId: this.conversationId, kind: 'conversation metadata' } as const
    const stored = json === null ? null : (await this.#texts(signal)).encode(json, place)
    const write = () => this.context.dialect.setMetadata(this.key, ruleName(this.counting), stored)
    await this.context.calls.make(write, { effect: 'repeatable', signal })
  }

  protected newTurn({ row }: Draft, count: TurnCount, counting: Counting): NewTurn {
    return { ...this.key, ...ruleName(counting), ...count, ...row }
  }

  /** The stored turn; undefined when its counts belong to another rule, or others changed the conversation meanwhile. */
  protected settle(draft: Draft, outcome: AppendOutcome, counting: Counting): StoredTurn | undefined {
    checkOutcome(draft, outcome)
    if (outcome.kind === 'refused' || !sameRule(outcome.rule, counting)) return undefined
    return toStoredTurn(outcome.turn, { replayed: outcome.kind === 'replayed' })
  }

  /** Whether counts that were recorded under this rule, or none at all, are the ones that this conversation uses. */
  protected isCurrent(recorded: CountingRule | undefined): boolean {
    return recorded === undefined || sameRule(recorded, this.counting)
  }

  async #currentPage(read: () => Page | Promise<Page>, signal: AbortSignal | undefined): Promise<Page> {
    const texts = await this.#texts(signal)
    return untilSettled(async () => {
      const page = await this.context.calls.make(read, { effect: 'read', signal })
      if (this.isCurrent(page.head)) return texts.decodePage(this.conversationId, page)
      await this.#recount(this.counting, texts, signal)
      return undefined
    })
  }

  #texts(signal: AbortSignal | undefined): Promise<UserTexts> {
    return this.context.texts.of(this.userId, signal)
  }

  #recount(counting: Counting, texts: UserTexts, signal: AbortSignal | undefined): Promise<number> {
    return recountAll(this.context, this.key, counting, { texts, signal })
  }
}

async function countInSlices(
  messages: readonly Message[],
  counting: Counting,
  signal: AbortSignal | undefined,
): Promise<TurnCount> {
  signal?.throwIfAborted()
  return inSlices(countTurn(messages, await loadEncoder(counting.encoding), counting), signal)
}
