import type { MigrationOptions, StoreWarning } from '../dialect/dialect.ts'
import type { CountPart } from '../tokens/count.ts'
import type { EncodingName } from '../tokens/encodings.ts'
import type { Framing } from '../tokens/framing.ts'
import type { Metadata } from '../types.ts'
import type { Codec } from './text-codec.ts'

export type { MigrationOptions, StoreWarning } from '../dialect/dialect.ts'

/** Which conversation, and how its turns are counted. */
export interface ConversationOptions {
  /** Whose conversation it is: 1 to 512 UTF-8 bytes, compared byte by byte. Every statement is bound to it. */
  readonly userId: string
  /** Which of the user's conversations: 1 to 512 UTF-8 bytes. Another user may have one of the same id. */
  readonly conversationId: string
  /** The vocabulary that its turns are counted in. Default: `o200k_base`. */
  readonly encoding?: EncodingName | undefined
  /**
   * How its turns will be given to the model, and so what they cost: `text` (the default, one `Prefix: content` line a
   * message), {@link textFraming} with other prefixes, or `chat` (OpenAI's chat form).
   */
  readonly framing?: Framing | 'text' | 'chat' | undefined
  /** Needed under `chat` framing for content that is not text: what a part costs, in tokens. */
  readonly countPart?: CountPart | undefined
}

/** What an append may be given besides its messages. */
export interface AppendOptions {
  /**
   * Names this append, so that it can be repeated: with the same key and messages the stored turn is returned
   * (`replayed: true`) and nothing is added. 1 to 255 UTF-8 bytes, unique in its conversation.
   */
  readonly idempotencyKey?: string | undefined
  /** The position of the last turn that the caller knows, 0 for none. When it is another, nothing is written. */
  readonly expectedPosition?: number | undefined
  /** Kept beside the turn and returned with it; not counted. */
  readonly metadata?: Metadata | undefined
  /** Aborting stops the call; a turn whose write is under way may still be stored. */
  readonly signal?: AbortSignal | undefined
}

/** What adding messages may be given besides them. */
export interface AddMessagesOptions extends CallOptions {
  /**
   * Names this call, so that it can be repeated: with the same key and messages nothing is added again. 1 to 255 UTF-8
   * bytes, unique in its conversation among those of `addMessages` and `replaceNewest`. Forgotten with the turns: when the
   * conversation is cleared, or rewound to before it.
   */
  readonly idempotencyKey?: string | undefined
  /** Kept beside each turn that is opened; not counted. */
  readonly metadata?: Metadata | undefined
}

/** What replacing the newest messages may be given besides them. */
export interface ReplaceNewestOptions extends CallOptions {
  /** Names this call, as that of {@link AddMessagesOptions} does. */
  readonly idempotencyKey?: string | undefined
}

/** How much to load. */
export interface LoadWindowOptions {
  /** The most tokens that the window may hold, inclusive: a whole number, 0 or more. */
  readonly maxTokens: number
  /**
   * From 0 to 1. 1, the default, is the exact newest window. Below 1 its start moves in steps of `maxTokens` less this
   * share of it, so that it stays put over several turns and a provider can cache the prompt's beginning.
   */
  readonly retentionRatio?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Which turns to list. */
export interface ListTurnsOptions {
  /** Only turns above this position. */
  readonly after?: number | undefined
  /** Only turns below this position: the newest of them, where there are more than `limit`. */
  readonly before?: number | undefined
  /** The most turns to return: 1 to 1,000, 100 by default. */
  readonly limit?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** How far to rewind. */
export interface RewindOptions {
  /** The position of the last turn to keep, 0 for none. */
  readonly to: number
  readonly signal?: AbortSignal | undefined
}

/** What to count by from now on. */
export interface RecountOptions {
  /** The encoding to count with from now on; by default the one that the conversation was opened with. */
  readonly encoding?: EncodingName | undefined
  /** The framing to count with from now on; by default the one that the conversation was opened with. */
  readonly framing?: Framing | 'text' | 'chat' | undefined
  readonly signal?: AbortSignal | undefined
}

/** What any call may be given. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/** What to do besides making the tables. */
export interface MigrateOptions extends CallOptions, MigrationOptions {}

/** Which part of a user's list to return. */
export interface ListConversationsOptions {
  /** The `cursor` of the last conversation that was seen; by default the list starts at the newest. */
  readonly before?: string | undefined
  /** The most conversations to return: 1 to 1,000, 100 by default. */
  readonly limit?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** What a store may be given besides its database. */
export interface StoreOptions {
  /**
   * How long a call may take before it fails with a typed error, in milliseconds: 1 to 3,600,000, 10,000 by default.
   * Calls that work through a whole conversation, and migrations, may take thirty times as long. A codec's answer is waited
   * for as long again, before the call.
   */
  readonly deadlineMs?: number | undefined
  /**
   * The most characters (UTF-16 units) that the texts of one turn may hold together: 1 to 4,000,000, 1,000,000 by
   * default. To count a character that is not Latin takes 70 bytes of memory for as long as it takes.
   */
  readonly maxTurnCharacters?: number | undefined
  /**
   * Encodes messages and metadata before they reach the database: `encryption({ … })` of `backscroll/encryption`. By
   * default they are stored as they are.
   */
  readonly codec?: Codec | undefined
  /**
   * Is told, once and before the first call, of each setting of the database that breaks what the store promises: that a
   * power loss would lose acknowledged turns, or that a pooler mixes up statements. What it throws, that call throws.
   * Default: `process.emitWarning`, which prints to standard error.
   */
  readonly onWarning?: ((warning: StoreWarning) => void) | undefined
}

/** What {@link openStore} may be given besides the URL. */
export interface OpenStoreOptions extends StoreOptions {
  /** False leaves the database's schema as it is: call `store.migrate()` yourself. Default: true. */
  readonly migrate?: boolean | undefined
  /** Postgres: the most connections of the pool, 1 to 1,000, 10 by default. */
  readonly maxConnections?: number | undefined
  /**
   * Postgres: whether the server keeps statements under names, which saves it the planning of each, and a call a round trip.
   * By default it does, unless there is a pooler in between: in transaction mode most mix up names. True behind one that
   * keeps track of them (PgBouncer from 1.21 on, with `max_prepared_statements`).
   */
  readonly preparedStatements?: boolean | undefined
  /**
   * Postgres: true has the database itself keep users apart, by policies that `migrate({ rowLevelSecurity: {} })` makes.
   * Each call then names its user to the database, and the role must be none that can go round the policies; the tables
   * are made and updated by their owner, so that this store does not migrate. Default: false.
   */
  readonly rowLevelSecurity?: boolean | undefined
}
