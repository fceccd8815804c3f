import { relations, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { foreignKey, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import * as backscroll from '../../src/sqlite.ts'
import { sqliteHost } from '../support/hosts.ts'

const { conversations, turns } = backscroll.schema
const ours = [conversations.userId, conversations.id] as const

/** The app's own table: each row belongs to a conversation. */
export const tickets = sqliteTable(
  'tickets',
  {
    id: integer('id').primaryKey(),
    subject: text('subject').notNull(),
    userId: text('user_id').notNull(),
    conversationId: text('conversation_id').notNull(),
  },
  ({ userId, conversationId }) => [
    foreignKey({ columns: [userId, conversationId], foreignColumns: [...ours] }).onDelete('cascade'),
  ],
)

const schema = {
  ...backscroll.schema,
  tickets,
  ticketRelations: relations(tickets, ({ one }) => ({
    conversation: one(conversations, {
      fields: [tickets.userId, tickets.conversationId],
      references: [...ours],
    }),
  })),
  conversationRelations: relations(conversations, ({ many }) => ({
    turns: many(turns),
    tickets: many(tickets),
  })),
  turnRelations: relations(turns, ({ one }) => ({
    conversation: one(conversations, { fields: [turns.userId, turns.conversationId], references: [...ours] }),
  })),
}

/** An app with a table and relations of its own, and its store. */
export async function sqliteApp() {
  const { client, ...host } = sqliteHost()
  const db = drizzle({ client, schema })
  const store = backscroll.sqliteStore(db)
  await store.migrate()
  db.run(sql`
    create table tickets (
      id integer primary key, subject text not null, user_id text not null, conversation_id text not null,
      foreign key (user_id, conversation_id) references backscroll_conversations (user_id, id) on delete cascade
    )`)
  return { ...host, client, db, store }
}
