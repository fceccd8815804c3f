import type { ConversationKey, CountingRule, Dialect, Page } from '../dialect/dialect.ts'
import type { Counting } from '../tokens/count.ts'
import type { StoredTurn, Window } from '../types.ts'
import { checkIdempotencyKey, checkOptions, checkWhole, windowBounds } from './arguments.ts'
import type { Calls } from './calls.ts'
import type { CallOptions, ListTurnsOptions, LoadWindowOptions } from './options.ts'
import { recountAll } from './recount.ts'
import { untilSettled } from './restart.ts'
import { ruleNamed, sameRule, type CountedAs } from './rule.ts'
import type { Texts, UserTexts } from './texts.ts'
import { toStoredTurn, toWindow } from './turns.ts'

/** What a conversation needs of its store. */
export interface ConversationContext {
  readonly dialect: Dialect
  readonly calls: Calls
  readonly texts: Texts
  readonly maxTurnCharacters: number
}

/** What can be read of one user's conversation. Where its counts are by another rule than this one's, they are replaced first. */
export class ConversationReader {
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
    return toWindow(await this.currentPage(load, options.signal), bounds)
  }

  /** Turns by rising position: the first ones, or with `before` the newest below it. One statement. */
  async listTurns(options?: ListTurnsOptions): Promise<StoredTurn[]> {
    const { after, before, limit = 100, signal } = checkOptions('listTurns', options)
    const range = {
      after: after === undefined ? undefined : checkWhole('after', after, 0),
      before: before === undefined ? undefined : checkWhole('before', before, 0),
      limit: checkWhole('limit', limit, 1, 1000),
    }
    const { turns } = await this.currentPage(() => this.context.dialect.listTurns(this.key, range), signal)
    return turns.map((turn) => toStoredTurn(turn))
  }

  /** The turn that was appended under an idempotency key, if there is one. One statement, one row. */
  async findTurn(idempotencyKey: string, options?: CallOptions): Promise<StoredTurn | undefined> {
    const name = checkIdempotencyKey(idempotencyKey)
    const { signal } = checkOptions('findTurn', options)
    const { turns } = await this.currentPage(() => this.context.dialect.findTurn(this.key, name), signal)
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

  /** Whether counts that were recorded under this rule, or none at all, are the ones that this conversation uses. */
  protected isCurrent(recorded: CountingRule | undefined): boolean {
    return recorded === undefined || sameRule(recorded, this.counting)
  }

  protected async currentPage(
    read: () => Page | Promise<Page>,
    signal: AbortSignal | undefined,
  ): Promise<Page> {
    const texts = await this.texts(signal)
    return untilSettled(async () => {
      const page = await this.context.calls.make(read, { effect: 'read', signal })
      if (this.isCurrent(page.head)) return texts.decodePage(this.conversationId, page)
      await this.recountBy(this.counting, texts, signal)
      return undefined
    })
  }

  protected texts(signal: AbortSignal | undefined): Promise<UserTexts> {
    return this.context.texts.of(this.userId, signal)
  }

  protected recountBy(
    counting: Counting,
    texts: UserTexts,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    return recountAll(this.context, this.key, counting, { texts, signal })
  }
}
