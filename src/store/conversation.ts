import type { AppendOutcome, NewTurn } from '../dialect/dialect.ts'
import { MessagesConflictError } from '../errors.ts'
import { countTurn, type Counting, type TurnCount } from '../tokens/count.ts'
import { loadEncoder } from '../tokens/encoder.ts'
import { checkEncoding } from '../tokens/encodings.ts'
import { toFraming } from '../tokens/framing.ts'
import { inSlices } from '../tokens/steps.ts'
import type { Message, Metadata, StoredTurn } from '../types.ts'
import { checkOptions, checkWhole } from './arguments.ts'
import { checkMessageList, encodeMetadata, sameJson } from './codec.ts'
import { ConversationReader } from './conversation-reader.ts'
import { checkOutcome, draftTurn, ruleOf, type Draft } from './draft.ts'
import type {
  AddMessagesOptions,
  AppendOptions,
  CallOptions,
  RecountOptions,
  ReplaceNewestOptions,
  RewindOptions,
} from './options.ts'
import { untilSettled } from './restart.ts'
import { ruleName, sameRule } from './rule.ts'
import { toTurns } from './splice.ts'
import { trySplice, type AskedSplice } from './try-splice.ts'
import { toStoredTurn } from './turns.ts'

/**
 * One user's conversation: turns are appended to it, and the newest that fit a limit are loaded from it.
 * Made by `store.conversation(…)`, which reads nothing. It holds no state of the conversation: any number of them, in
 * any number of processes, may work on the same one.
 *
 * Counts belong to an encoding and a framing, which are recorded with the conversation. Where others are recorded than
 * this one was opened with, its turns are counted anew, all at once, before a count is used.
 */
export class Conversation extends ConversationReader {
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
    const texts = await this.texts(signal)
    return untilSettled(async () => {
      // One rule for the count, the row and the answer: recount may give this object another one meanwhile.
      const { counting } = this
      const turn = this.newTurn(draft, await countInSlices(draft.messages, counting, signal), counting)
      const encoded = texts.encodeTurn(turn)
      const append = () => this.context.dialect.append(encoded)
      const outcome = await this.context.calls.make(append, { effect, signal })
      const stored = this.settle(draft, texts.decodeOutcome(this.conversationId, outcome), counting)
      if (!stored && !this.isCurrent(ruleOf(outcome))) await this.recountBy(this.counting, texts, signal)
      return stored
    })
  }

  /** Throws what {@link append} would throw for the form and the size of these messages; for whoever has to know beforehand. */
  check(messages: readonly Message[]): void {
    draftTurn(messages, undefined, this.context.maxTurnCharacters)
  }

  /**
   * Adds messages as frameworks save them, one or a few at a time. A user's message opens a turn, and what follows joins
   * it; what comes before any user's message joins the newest turn that there is, or opens the first. All of it is one
   * atomic step, counts included: a window never holds a part of it. Does nothing for no messages;
   * with a key, that key is kept then.
   *
   * A whole turn without a key is one call of the database, as {@link append} is; else the newest turn is read before, and
   * the operation's key looked for.
   *
   * A turn that was appended under a key and has grown since is other messages to {@link append}: repeated, that throws
   * an {@link IdempotencyConflictError}, and writes nothing.
   *
   * @throws what {@link append} throws, but for {@link PositionConflictError}.
   */
  async addMessages(messages: readonly Message[], options?: AddMessagesOptions): Promise<void> {
    const { idempotencyKey, metadata, signal } = checkOptions('addMessages', options)
    const added = checkMessageList('messages', messages)
    const [joining, ...turns] = toTurns(added)
    if (idempotencyKey === undefined && joining.length === 0 && turns.length < 2) {
      if (added.length > 0) await this.append(added, { metadata, signal })
      return
    }
    const json = encodeMetadata(metadata, this.context.maxTurnCharacters)
    const splice = { remove: 0, add: added, metadata: json }
    await this.#splice({ count: 0, decide: () => splice, change: { added }, idempotencyKey, signal })
  }

  /**
   * Takes the newest message away and returns it; undefined where there is none. A turn goes with its last message.
   *
   * @throws {OutcomeUnknownError} when it may have been taken away; look before taking away another.
   */
  async popMessage(options?: CallOptions): Promise<Message | undefined> {
    const { signal } = checkOptions('popMessage', options)
    const takeAway = ([newest]: Message[]) => newest && { remove: 1, add: [], metadata: null }
    const [popped] = await this.#splice({ count: 1, decide: takeAway, signal })
    return popped
  }

  /**
   * Puts `replacement` in the place of the newest messages, which must be `expected`: as JSON, the order of keys not
   * regarded. One atomic step, as {@link addMessages}.
   *
   * @throws {MessagesConflictError} when they are others.
   */
  async replaceNewest(
    expected: readonly Message[],
    replacement: readonly Message[],
    options?: ReplaceNewestOptions,
  ): Promise<void> {
    const { idempotencyKey, signal } = checkOptions('replaceNewest', options)
    const change = {
      expected: checkMessageList('expected', expected),
      added: checkMessageList('replacement', replacement),
    }
    // What both begin with stays, and with it the places of the turns that it opened.
    const kept = commonLength(change.expected, change.added)
    const splice = { remove: change.expected.length - kept, add: change.added.slice(kept), metadata: null }
    const replace = (newest: Message[]) => {
      if (sameJson(JSON.stringify(newest), JSON.stringify(change.expected))) return splice
      throw new MessagesConflictError(
        'The newest messages are others than the expected ones. Nothing was written. Load them again and decide.',
      )
    }
    await this.#splice({ count: change.expected.length, decide: replace, change, idempotencyKey, signal })
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
      return { turns: await this.recountBy(counting, await this.texts(signal), signal) }
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
    const stored = json === null ? null : (await this.texts(signal)).encode(json, place)
    const write = () => this.context.dialect.setMetadata(this.key, ruleName(this.counting), stored)
    await this.context.calls.make(write, { effect: 'repeatable', signal })
  }

  async #splice(asked: AskedSplice): Promise<Message[]> {
    const texts = await this.texts(asked.signal)
    return untilSettled(async () => {
      const { context, key, counting } = this
      const outcome = await trySplice({ context, key, counting, texts }, asked)
      if (outcome.kind === 'other rule') await this.recountBy(this.counting, texts, asked.signal)
      return outcome.kind === 'settled' ? outcome.newest : undefined
    })
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
}

/** How many messages two lists begin with in common. */
function commonLength(one: readonly Message[], other: readonly Message[]): number {
  const isSame = (message: Message, index: number) =>
    index < other.length && sameJson(JSON.stringify(message), JSON.stringify(other[index]))
  const first = one.findIndex((message, index) => !isSame(message, index))
  return first < 0 ? one.length : first
}

async function countInSlices(
  messages: readonly Message[],
  counting: Counting,
  signal: AbortSignal | undefined,
): Promise<TurnCount> {
  signal?.throwIfAborted()
  return inSlices(countTurn(messages, await loadEncoder(counting.encoding), counting), signal)
}
