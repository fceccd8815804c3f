import type { BackscrollError } from '../errors.ts'
import type { Rewrite } from './rewrite.ts'

/** Whose conversation, and which. Both are part of every statement. */
export interface ConversationKey {
  readonly userId: string
  readonly conversationId: string
}

/** The rule that a conversation's counts were made under, as it is recorded in its row. */
export interface CountingRule {
  readonly encoding: string
  readonly framing: string
}

/** A conversation's row, as far as the store needs it. */
export interface Head extends CountingRule {
  /** When its row was made: after an erasure, a new row of the same id has another. */
  readonly createdAt: Date
  readonly lastPosition: number
  readonly newestPosition: number
  readonly turnCount: number
  readonly totalTokens: number
  readonly newestSaving: number
}

/** A turn's row. `messages` and `metadata` are JSON text. */
export interface TurnRow {
  readonly position: number
  readonly tokenCount: number
  readonly cumulativeTokens: number
  readonly messages: string
  readonly createdAt: Date
  readonly metadata: string | null
}

/** The conversation's row, if it has one, and some of its turns by rising position, as one statement saw them. */
export interface Page {
  readonly head: Head | undefined
  readonly turns: TurnRow[]
}

/** A turn that is to be stored: whose, under which rule it was counted, and what goes into its row. */
export interface NewTurn extends ConversationKey, CountingRule {
  readonly tokenCount: number
  readonly closingTokenCount: number
  readonly messages: string
  readonly metadata: string | null
  readonly idempotencyKey: string | null
  /** The position that the newest turn must have, 0 for none; null to append whatever it is. */
  readonly expectedPosition: number | null
}

/**
 * What became of an append. `refused`: the row that is there has another counting rule or another newest position;
 * nothing was written.
 */
export type AppendOutcome =
  | { readonly kind: 'appended' | 'replayed'; readonly rule: CountingRule; readonly turn: TurnRow }
  | { readonly kind: 'refused'; readonly head: Head | undefined }

/** How much a window may hold. */
export interface WindowBounds {
  /** The most tokens that the window may hold. */
  readonly maxTokens: number
  /** The start of the window moves in multiples of this many tokens; 1 is the exact window. */
  readonly step: number
}

/** Which turns to list: between two positions, both exclusive, and how many at most. */
export interface TurnRange {
  readonly after: number | undefined
  readonly before: number | undefined
  readonly limit: number
}

/** A turn's counts under a new rule. */
export interface TurnCounts {
  readonly position: number
  readonly tokenCount: number
  readonly closingTokenCount: number
  readonly cumulativeTokens: number
}

/** All counts of a conversation under a new rule. */
export interface Recounted {
  readonly rule: CountingRule
  /** All turns of the conversation, by rising position. */
  readonly turns: readonly TurnCounts[]
  /** The newest of them as it is stored: it grows and shrinks in its place. Null for none. */
  readonly newestMessages: string | null
}

/** A conversation's row as a user's list shows it. */
export interface ConversationRow {
  readonly conversationId: string
  readonly turnCount: number
  readonly totalTokens: number
  readonly createdAt: Date
  /** Microseconds since 1970. */
  readonly updatedAt: number
  readonly metadata: string | null
}

/** A conversation's own text. */
export interface ConversationText {
  readonly conversationId: string
  readonly metadata: string | null
}

/** A turn's texts that take the place of those that were seen. */
export interface TurnTexts {
  readonly position: number
  readonly seenMessages: string
  readonly seenMetadata: string | null
  readonly messages: string
  readonly metadata: string | null
}

/** Where a list of conversations goes on: below this line of it. */
export interface ListPosition {
  /** Microseconds since 1970. */
  readonly updatedAt: number
  readonly conversationId: string
}

/** How much was erased with a user. */
export interface Forgotten {
  readonly conversations: number
  readonly turns: number
}

/** What a dialect may be told when it opens a database itself. */
export interface ConnectionOptions {
  readonly maxConnections: number
  /** By default, where there is no pooler. */
  readonly preparedStatements: boolean | undefined
  readonly rowLevelSecurity: boolean
}

/** What a migration may do besides making the tables. */
export interface MigrationOptions {
  /**
   * Postgres: makes the policies by which a statement sees the rows of one user only, and forces them also on the tables'
   * owner. With a `role`, that role is granted what a store needs.
   */
  readonly rowLevelSecurity?: { readonly role?: string | undefined } | undefined
}

/** A setting of the database that breaks what a store promises. */
export interface StoreWarning {
  /**
   * `WEAK_DURABILITY`: a power loss or a crash may lose turns that were acknowledged. `POOLED_STATEMENTS`: named
   * statements are in use and there is a pooler, most of which mix them up in transaction mode.
   */
  readonly code: 'WEAK_DURABILITY' | 'POOLED_STATEMENTS'
  /** What is set, what it can cost, and how to set it otherwise. */
  readonly message: string
}

/** A driver's error, translated. */
export interface Failure {
  readonly error: BackscrollError
  /**
   * `always`: nothing was applied and the reason passes. `if-repeatable`: it may have been applied, so only a call that
   * may run twice is made again. `never`: it would fail again.
   */
  readonly retry: 'always' | 'if-repeatable' | 'never'
}

type Awaitable<T> = T | Promise<T>

/**
 * What the store asks of a database: a few coarse operations, each of them atomic by itself. There is no
 * `transaction(fn)`: better-sqlite3 refuses promises inside one, and on Postgres every operation is one statement.
 *
 * Operations throw the driver's errors; `explain` translates them.
 */
export interface Dialect<Tx = unknown> {
  append(turn: NewTurn): Awaitable<AppendOutcome>
  /** The newest whole turns within the bounds. Reads the rows that it returns, and at most one more. */
  loadWindow(key: ConversationKey, bounds: WindowBounds): Awaitable<Page>
  /** With `before` the newest turns below it, else the oldest above `after`. */
  listTurns(key: ConversationKey, range: TurnRange): Awaitable<Page>
  /** The turn that was appended under the idempotency key, or none. */
  findTurn(key: ConversationKey, idempotencyKey: string): Awaitable<Page>
  /** How many turns were dropped; undefined when the conversation changed meanwhile and nothing was done. */
  rewind(key: ConversationKey, to: number): Awaitable<number | undefined>
  /** Makes the conversation's row where there is none yet. */
  begin(key: ConversationKey, rule: CountingRule): Awaitable<void>
  /** False when what was seen is no longer what is there, or the operation was made already; nothing was done then. */
  rewrite(key: ConversationKey, rewrite: Rewrite): Awaitable<boolean>
  /** The fingerprint of an operation that was made. */
  findOperation(key: ConversationKey, id: string): Awaitable<string | undefined>
  /** Replaces all counts at once; false when `seen` is no longer what is there, and nothing was done. */
  replaceCounts(key: ConversationKey, seen: Head, recounted: Recounted): Awaitable<boolean>
  setMetadata(key: ConversationKey, rule: CountingRule, metadata: string | null): Awaitable<void>
  listConversations(
    userId: string,
    before: ListPosition | undefined,
    limit: number,
  ): Awaitable<ConversationRow[]>
  forgetUser(userId: string): Awaitable<Forgotten>
  /** A user's conversations above the id `after` by rising id: an order in which no write moves one. */
  walkConversations(userId: string, after: string, limit: number): Awaitable<ConversationText[]>
  /** False when the metadata is no longer what was seen, and nothing was done. */
  replaceMetadata(key: ConversationKey, seen: string, metadata: string): Awaitable<boolean>
  /** Replaces the texts of those turns, by rising position, that still have the ones that were seen; tells how many. */
  replaceTexts(key: ConversationKey, turns: readonly TurnTexts[]): Awaitable<number>
  /**
   * What of the database's settings breaks a store's promises: looked at once, before the first call.
   *
   * @throws {RowLevelSecurityError} when users were to be walled off from each other by policies, and are not.
   */
  examine(): Awaitable<StoreWarning[]>
  /** Whether every migration was applied; takes no lock. */
  isMigrated(): Awaitable<boolean>
  /** Applies the migrations that are missing. Any number of processes may call it at once. */
  migrate(options: MigrationOptions): Awaitable<void>
  close(): Awaitable<void>
  /**
   * A call that began at `start`, a time of `performance.now()`, got no answer in time: leaves the connections of then for
   * new ones, if they are ours.
   */
  renew?(start: number): void
  /** The same operations inside the host's transaction. */
  within(transaction: Tx): Dialect<Tx>
  explain(error: unknown): Failure
  /** True inside the host's transaction: a failed statement has to be answered by rolling that back, not by a retry. */
  readonly inTransaction: boolean
}

/** A dialect whose driver answers at once. */
export interface SyncDialect<Tx = unknown> extends Dialect<Tx> {
  append(turn: NewTurn): AppendOutcome
  loadWindow(key: ConversationKey, bounds: WindowBounds): Page
  listTurns(key: ConversationKey, range: TurnRange): Page
  replaceCounts(key: ConversationKey, seen: Head, recounted: Recounted): boolean
  examine(): StoreWarning[]
  within(transaction: Tx): SyncDialect<Tx>
  readonly synchronous: true
}

/** Whether the dialect's driver answers at once. */
export function isSync(dialect: Dialect): dialect is SyncDialect {
  return 'synchronous' in dialect
}
