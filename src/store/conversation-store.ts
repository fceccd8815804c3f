import type { Dialect, Forgotten } from '../dialect/dialect.ts'
import { InvalidArgumentError } from '../errors.ts'
import { kindOf } from '../redact.ts'
import type { Counting } from '../tokens/count.ts'
import { checkEncoding, DEFAULT_ENCODING } from '../tokens/encodings.ts'
import { toFraming } from '../tokens/framing.ts'
import type { ConversationSummary } from '../types.ts'
import { checkId, checkMigrateOptions, checkOptions, checkStoreOptions, checkWhole } from './arguments.ts'
import { Calls } from './calls.ts'
import { decodeMetadata } from './codec.ts'
import type { ConversationContext } from './conversation-reader.ts'
import { Conversation } from './conversation.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { Examination } from './examination.ts'
import type {
  CallOptions,
  ConversationOptions,
  ListConversationsOptions,
  MigrateOptions,
  StoreOptions,
} from './options.ts'
import { reencryptAll, type Reencrypted } from './reencrypt.ts'
import { Texts } from './texts.ts'

/**
 * Everyone's conversations in one database. Made by `openStore(url)`, or by `sqliteStore(db)` and `postgresStore(db)`
 * on the drizzle database of a host. `Tx` is the type of that database's transactions.
 */
export class ConversationStore<Tx = unknown, D extends Dialect<Tx> = Dialect<Tx>> implements AsyncDisposable {
  protected readonly dialect: D
  protected readonly options: ReturnType<typeof checkStoreOptions>
  protected readonly context: ConversationContext
  protected readonly examination: Examination

  /** @param examination that of the store of which this is a part; none for a store of its own. */
  constructor(dialect: D, options?: StoreOptions, examination?: Examination) {
    this.dialect = dialect
    this.options = checkStoreOptions(options)
    this.examination = examination ?? new Examination(this.options.onWarning)
    const calls = new Calls(dialect, this.options.deadlineMs, this.examination)
    const texts = new Texts(this.options.codec, this.options.deadlineMs)
    this.context = { dialect, calls, texts, maxTurnCharacters: this.options.maxTurnCharacters }
  }

  /**
   * One user's conversation, there already or to begin with its first turn. Reads and writes nothing.
   *
   * @throws {InvalidIdError} | {UnknownEncodingError} | {InvalidFramingError} for options that are out of range.
   */
  conversation(options: ConversationOptions): Conversation {
    return new Conversation(this.context, keyOf(options), countingOf(options))
  }

  /** A user's conversations, the one that was written to last first. Reads all of the user's conversations' rows. */
  async listConversations(
    userId: string,
    options?: ListConversationsOptions,
  ): Promise<ConversationSummary[]> {
    const user = checkId('userId', userId)
    const { before, limit = 100, signal } = checkOptions('listConversations', options)
    const position = before === undefined ? undefined : decodeCursor(before)
    const most = checkWhole('limit', limit, 1, 1000)
    const texts = await this.context.texts.of(user, signal)
    const list = () => this.dialect.listConversations(user, position, most)
    const rows = await this.context.calls.make(list, { effect: 'read', signal })
    return rows.map(({ conversationId, turnCount, totalTokens, createdAt, updatedAt, metadata }) => ({
      conversationId,
      turnCount,
      tokenCount: totalTokens,
      createdAt,
      updatedAt: new Date(Math.floor(updatedAt / 1000)),
      metadata:
        metadata === null
          ? null
          : decodeMetadata(texts.decode(metadata, { conversationId, kind: 'conversation metadata' })),
      cursor: encodeCursor({ updatedAt, conversationId }),
    }))
  }

  /**
   * Erases all conversations of a user, and tells how many, and how many turns they held; where a connection broke off
   * and the call was made again, what was left to erase.
   */
  async forgetUser(userId: string, options?: CallOptions): Promise<Forgotten> {
    const user = checkId('userId', userId)
    const { signal } = checkOptions('forgetUser', options)
    const forget = () => this.dialect.forgetUser(user)
    return this.context.calls.make(forget, { effect: 'repeatable', long: true, signal })
  }

  /**
   * Encrypts anew, with the codec's current key, what of a user is encrypted with another, or not at all where the codec
   * accepts that; and tells how many turns, and metadata of how many conversations, that were. Reads all turns of the
   * user, a hundred at a time.
   *
   * May run while others read and write, and may be broken off and run again: it goes on where there is something left.
   *
   * @throws {InvalidArgumentError} without a codec. @throws {MissingKeyError} | {CorruptDataError} at the first text that
   * cannot be read; what was encrypted anew before it stays.
   */
  async reencrypt(userId: string, options?: CallOptions): Promise<Reencrypted> {
    const user = checkId('userId', userId)
    const { signal } = checkOptions('reencrypt', options)
    this.context.texts.checkEncoded()
    const texts = await this.context.texts.of(user, signal)
    return reencryptAll(this.context, user, { texts, signal })
  }

  /**
   * Makes or updates backscroll's tables, and on Postgres, where `rowLevelSecurity` is given, the policies that keep users
   * apart. Any number of processes may call it at once; later calls find nothing to do.
   *
   * @throws {InvalidArgumentError} for `rowLevelSecurity` on SQLite.
   */
  async migrate(options?: MigrateOptions): Promise<void> {
    const { signal, rowLevelSecurity } = checkMigrateOptions(options)
    const { calls } = this.context
    // Looked at first: mostly there is nothing to do, and a server that is not there is found out within the deadline.
    const look = () => this.dialect.isMigrated()
    const isMigrated = await calls.makeUnexamined(look, { effect: 'read', signal })
    if (isMigrated && !rowLevelSecurity) return
    const migrate = () => this.dialect.migrate({ rowLevelSecurity })
    await calls.makeUnexamined(migrate, { effect: 'repeatable', long: true, signal })
  }

  /**
   * Looks at the database's settings: passes each one that breaks a promise to `onWarning`, and checks row-level security.
   * The first call does so by itself; called when an app starts, it fails then. Later calls find nothing to do.
   *
   * @throws {RowLevelSecurityError} when policies do not bind this role as `rowLevelSecurity` says.
   */
  async examine(options?: CallOptions): Promise<void> {
    await this.context.calls.examine(checkOptions('examine', options).signal)
  }

  /**
   * The same store inside a transaction of the host, so that a turn and the host's own rows commit together. `tx` is
   * what `db.transaction((tx) => …)` gives. Calls are not tried again in it: on an error, roll back and start over.
   *
   * @throws {InvalidArgumentError} for anything else.
   */
  withTransaction(tx: Tx): ConversationStore<Tx> {
    return new ConversationStore(this.dialect.within(tx), this.options, this.examination)
  }

  /** Closes the connections that `openStore` opened; a host's own stay open. Later calls fail. May be called twice. */
  close(): Promise<void> {
    return this.context.calls.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** Checks whose conversation it is, and which. */
export function keyOf(options: ConversationOptions): { userId: string; conversationId: string } {
  const { userId, conversationId } = checkOptions('conversation', options)
  return { userId: checkId('userId', userId), conversationId: checkId('conversationId', conversationId) }
}

/** Checks how a conversation is counted, with the defaults filled in. */
export function countingOf({ encoding, framing, countPart }: ConversationOptions): Counting {
  if (countPart !== undefined && typeof countPart !== 'function') {
    throw new InvalidArgumentError(`countPart must be a function (part) => tokens; got ${kindOf(countPart)}.`)
  }
  return {
    encoding: checkEncoding(encoding ?? DEFAULT_ENCODING),
    framing: toFraming(framing ?? 'text'),
    countPart,
  }
}
