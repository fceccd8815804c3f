import { sql } from 'drizzle-orm'
import {
  bigint,
  check,
  foreignKey,
  index,
  integer,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
} from 'drizzle-orm/pg-core'

/** One row a conversation: whose it is, under which rule its tokens were counted, and its running totals. */
export const conversations = pgTable(
  'backscroll_conversations',
  {
    userId: text('user_id').notNull(),
    id: text('id').notNull(),
    /** The encoding and framing that every count of this conversation belongs to. */
    encoding: text('encoding').notNull(),
    framing: text('framing').notNull(),
    /** The highest position ever handed out; never falls. */
    lastPosition: bigint('last_position', { mode: 'number' }).notNull(),
    /** The position of the newest turn that is still there, 0 for none: what `expectedPosition` is compared with. */
    newestPosition: bigint('newest_position', { mode: 'number' }).notNull(),
    turnCount: integer('turn_count').notNull(),
    /** The sum of the turns' token counts: the newest turn's `cumulative_tokens`. */
    totalTokens: bigint('total_tokens', { mode: 'number' }).notNull(),
    /** What the newest turn saves by standing last: its token count less its closing token count. May be negative. */
    newestSaving: integer('newest_saving').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
    updatedAt: timestamp('updated_at', { withTimezone: true }).notNull(),
    metadata: text('metadata'),
  },
  // The primary key serves every statement that reads or writes one conversation, and by its first column a user's list.
  (table) => [primaryKey({ columns: [table.userId, table.id] })],
)

/** One row a turn: its messages as JSON text, and what they cost. */
export const turns = pgTable(
  'backscroll_turns',
  {
    userId: text('user_id').notNull(),
    conversationId: text('conversation_id').notNull(),
    position: bigint('position', { mode: 'number' }).notNull(),
    /** Tokens that the turn adds when another follows. */
    tokenCount: integer('token_count').notNull(),
    /** Tokens of the turn as the newest one, where nothing follows. */
    closingTokenCount: integer('closing_token_count').notNull(),
    /** The running total of token counts up to and including this turn. */
    cumulativeTokens: bigint('cumulative_tokens', { mode: 'number' }).notNull(),
    messages: text('messages').notNull(),
    idempotencyKey: text('idempotency_key'),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
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
export const operations = pgTable(
  'backscroll_operations',
  {
    userId: text('user_id').notNull(),
    conversationId: text('conversation_id').notNull(),
    id: text('id').notNull(),
    /** The position of the newest turn that it left: where the conversation is rewound to before it, it is forgotten. */
    position: bigint('position', { mode: 'number' }).notNull(),
    /** A hash of what it was to change, to tell it from another under the same key. */
    fingerprint: text('fingerprint').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
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
export const migrations = pgTable('backscroll_migrations', {
  name: text('name').primaryKey(),
  appliedAt: timestamp('applied_at', { withTimezone: true }).notNull(),
})

/** backscroll's tables as drizzle knows them, to join with the host's own. */
export const schema = { conversations, turns, operations, migrations }
