import { sql } from 'drizzle-orm'
import {
  check,
  customType,
  foreignKey,
  index,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core'

/**
 * A time as microseconds since 1970. Milliseconds would not do: several conversations are written to within one, and a
 * user's list is ordered by this.
 */
const time = customType<{ data: Date; driverData: number | bigint }>({
  dataType: () => 'integer',
  fromDriver: (microseconds) => new Date(Math.floor(Number(microseconds) / 1000)),
  toDriver: (date) => date.getTime() * 1000,
})

/** A whole number, also on a host's client that gives bigints (better-sqlite3's `defaultSafeIntegers`). */
const whole = customType<{ data: number; driverData: number | bigint }>({
  dataType: () => 'integer',
  fromDriver: Number,
})

/** One row a conversation: whose it is, under which rule its tokens were counted, and its running totals. */
export const conversations = sqliteTable(
  'backscroll_conversations',
  {
    userId: text('user_id').notNull(),
    id: text('id').notNull(),
    /** The encoding and framing that every count of this conversation belongs to. */
    encoding: text('encoding').notNull(),
    framing: text('framing').notNull(),
    /** The highest position ever handed out; never falls. */
    lastPosition: whole('last_position').notNull(),
    /** The position of the newest turn that is still there, 0 for none: what `expectedPosition` is compared with. */
    newestPosition: whole('newest_position').notNull(),
    turnCount: whole('turn_count').notNull(),
    /** The sum of the turns' token counts: the newest turn's `cumulative_tokens`. */
    totalTokens: whole('total_tokens').notNull(),
    /** What the newest turn saves by standing last: its token count less its closing token count. May be negative. */
    newestSaving: whole('newest_saving').notNull(),
    createdAt: time('created_at').notNull(),
    updatedAt: time('updated_at').notNull(),
    metadata: text('metadata'),
  },
  // The primary key serves every statement that reads or writes one conversation, and by its first column a user's list.
  (table) => [primaryKey({ columns: [table.userId, table.id] })],
)

/** One row a turn: its messages as JSON text, and what they cost. */
export const turns = sqliteTable(
  'backscroll_turns',
  {
    userId: text('user_id').notNull(),
    conversationId: text('conversation_id').notNull(),
    position: whole('position').notNull(),
    /** Tokens that the turn adds when another follows. */
    tokenCount: whole('token_count').notNull(),
    /** Tokens of the turn as the newest one, where nothing follows. */
    closingTokenCount: whole('closing_token_count').notNull(),
    /** The running total of token counts up to and including this turn. */
    cumulativeTokens: whole('cumulative_tokens').notNull(),
    messages: text('messages').notNull(),
    idempotencyKey: text('idempotency_key'),
    createdAt: time('created_at').notNull(),
    metadata: text('metadata'),
  },
  (table) => [
    // Serves listTurns and rewind.
    primaryKey({ columns: [table.userId, table.conversationId, table.position] }),
    // Serves the look-up of a replayed append, and keeps a key from being stored twice. Of turns with a key alone: where
    // statistics are missing, Postgres would else take it for any search, and read a conversation from end to end by it.
    uniqueIndex('backscroll_turns_idempotency_key')
      .on(table.userId, table.conversationId, table.idempotencyKey)
      .where(sql`idempotency_key is not null`),
    // Serves loadWindow: the newest turns, read backwards from the running total.
    index('backscroll_turns_cumulative_tokens').on(
      table.userId,
      table.conversationId,
      table.cumulativeTokens,
      table.position,
    ),
    foreignKey({
      name: 'backscroll_turns_conversation',
      columns: [table.userId, table.conversationId],
      foreignColumns: [conversations.userId, conversations.id],
    }).onDelete('cascade'),
    check('backscroll_turns_counts_positive', sql`token_count > 0 and closing_token_count > 0`),
  ],
)

/**
 * One row an operation: a change of a conversation's newest messages that was made under a key, so that the same key
 * changes them no second time.
 */
export const operations = sqliteTable(
  'backscroll_operations',
  {
    userId: text('user_id').notNull(),
    conversationId: text('conversation_id').notNull(),
    id: text('id').notNull(),
    /** The position of the newest turn that it left: where the conversation is rewound to before it, it is forgotten. */
    position: whole('position').notNull(),
    /** A hash of what it was to change, to tell it from another under the same key. */
    fingerprint: text('fingerprint').notNull(),
    createdAt: time('created_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.conversationId, table.id] }),
    // Serves rewind, which forgets the newest.
    index('backscroll_operations_position').on(table.userId, table.conversationId, table.position),
    foreignKey({
      name: 'backscroll_operations_conversation',
      columns: [table.userId, table.conversationId],
      foreignColumns: [conversations.userId, conversations.id],
    }).onDelete('cascade'),
  ],
)

/** One row a migration that was applied to this database. */
export const migrations = sqliteTable('backscroll_migrations', {
  name: text('name').primaryKey(),
  appliedAt: time('applied_at').notNull(),
})

/** backscroll's tables as drizzle knows them, to join with the host's own. */
export const schema = { conversations, turns, operations, migrations }
