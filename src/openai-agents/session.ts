import type {
  AgentInputItem,
  SessionHistoryRewriteArgs,
  SessionHistoryRewriteAwareSession,
  SessionHistoryTransactionArgs,
  SessionHistoryTransactionAwareSession,
} from '@openai/agents-core'
import { checkWhole } from '../store/arguments.ts'
import { openBounded, type BoundedOptions } from '../store/bounded.ts'
import type { Conversation } from '../store/conversation.ts'
import type { LoadWindowOptions } from '../store/options.ts'
import { toMessages } from './chat-form.ts'
import { toItems } from './item-form.ts'
import { applyMutations } from './mutations.ts'
import { newestItems } from './newest-items.ts'
import { withoutOrphans } from './orphans.ts'
import { popItem } from './pop-item.ts'
import { keyOf, toHistoryChange } from './transaction.ts'

/** Whose session it is, which (`conversationId` is its id), where it is kept, and how much of it a run is given. */
export interface BackscrollSessionOptions extends BoundedOptions {}

/**
 * A session of the OpenAI Agents SDK, kept in a database: what a run adds is there for the next one, in any process. With
 * `maxTokens` a run is given the newest whole turns that fit, however long the session is; nothing is deleted for that.
 *
 * An item is stored as a message in chat form and given back as it was, but for fields that are undefined: they are gone,
 * as in JSON. The object holds nothing of the session: any number of them may stand for one.
 */
export class BackscrollSession
  implements SessionHistoryTransactionAwareSession, SessionHistoryRewriteAwareSession
{
  /** The conversation that it keeps, for what a session has no method for. */
  readonly conversation: Conversation
  readonly #window: LoadWindowOptions
  readonly #isWindowed: boolean

  /** @throws {InvalidArgumentError} in one of its subclasses, for an option that is missing or out of range. */
  constructor(options: BackscrollSessionOptions) {
    const { conversation, window } = openBounded('The session', options)
    this.conversation = conversation
    this.#window = window
    this.#isWindowed = options.maxTokens !== undefined
  }

  /** The conversation's id. */
  async getSessionId(): Promise<string> {
    return this.conversation.conversationId
  }

  /**
   * The items, oldest first; with `maxTokens`, those of the newest whole turns that fit. With a `limit`, the most recent
   * items instead, as many at most, whatever they cost: none for 0 and below. With either, a result whose call is not among
   * the items is left out.
   *
   * @throws {InvalidLimitError} for a limit that is not a whole number.
   */
  async getItems(limit?: number): Promise<AgentInputItem[]> {
    if (limit === undefined) {
      const { messages } = await this.conversation.loadWindow(this.#window)
      return this.#isWindowed ? withoutOrphans(toItems(messages)) : toItems(messages)
    }
    if (typeof limit === 'number' && limit <= 0) return []
    return withoutOrphans(await newestItems(this.conversation, checkWhole('limit', limit, 1)))
  }

  /**
   * Adds items, all in one atomic step: a user's message opens a turn, and what follows joins it.
   *
   * @throws {InvalidMessageError} | {TurnTooLargeError} | {MissingTokenCountError} before anything is written.
   */
  async addItems(items: AgentInputItem[]): Promise<void> {
    await this.conversation.addMessages(toMessages('items', items))
  }

  /** Takes the newest item away and returns it; undefined where there is none. */
  async popItem(): Promise<AgentInputItem | undefined> {
    return popItem(this.conversation)
  }

  /** Drops all items, and forgets the ids of the operations that were applied. */
  async clearSession(): Promise<void> {
    await this.conversation.clear()
  }

  /**
   * Adds items, or replaces the newest ones, once: repeated under the same operation id with the same items it does
   * nothing. The change and its id are one atomic step.
   *
   * @throws {IdempotencyConflictError} when the id stands for another change.
   * @throws {MessagesConflictError} when the newest items are not `expectedSuffix`.
   * @throws {InvalidArgumentError} in one of its subclasses, before anything is written.
   */
  async applyHistoryTransaction(args: SessionHistoryTransactionArgs): Promise<void> {
    const { operationId, expected, added } = toHistoryChange(args)
    const idempotencyKey = await keyOf(operationId)
    await (expected
      ? this.conversation.replaceNewest(expected, added, { idempotencyKey })
      : this.conversation.addMessages(added, { idempotencyKey }))
  }

  /**
   * Replaces the first call of an id by another one, and drops further ones of that id, in one atomic step. Reads all turns.
   *
   * @throws {InvalidArgumentError} | {InvalidMessageError} before anything is read.
   */
  async applyHistoryMutations(args: SessionHistoryRewriteArgs): Promise<void> {
    await applyMutations(this.conversation, args)
  }

  /**
   * Puts a compaction, and what is kept behind it, in the place of all items, in one atomic step: older turns that were
   * stored are gone. Reads all turns.
   *
   * So are items that another run added since the SDK read them: it does not say which ones the compaction tells of.
   *
   * @throws {MessagesConflictError} when another run adds items during the call.
   */
  async replaceHistoryWithCompaction(items: AgentInputItem[]): Promise<void> {
    const replacement = toMessages('items', items)
    const { messages } = await this.conversation.loadWindow({ maxTokens: Number.MAX_SAFE_INTEGER })
    await this.conversation.replaceNewest(messages, replacement)
  }
}
