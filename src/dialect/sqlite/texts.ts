import { and, eq, sql } from 'drizzle-orm'
import type { SqliteSession } from './queries.ts'
import { conversations, turns } from './schema.ts'

const p = sql.placeholder

/** Replaces a turn's texts where they still are what was read. */
export function prepareReplaceTexts(session: SqliteSession) {
  return session
    .update(turns)
    .set({ messages: sql`${p('messages')}`, metadata: sql`${p('metadata')}` })
    .where(
      and(
        eq(turns.userId, p('userId')),
        eq(turns.conversationId, p('conversationId')),
        eq(turns.position, p('position')),
        eq(turns.messages, p('seenMessages')),
        sql`${turns.metadata} is ${p('seenMetadata')}`,
      ),
    )
    .prepare()
}

/** The same for a conversation's metadata. Leaves `updated_at`: what the conversation says is the same. */
export function prepareReplaceMetadata(session: SqliteSession) {
  return session
    .update(conversations)
    .set({ metadata: sql`${p('metadata')}` })
    .where(
      and(
        eq(conversations.userId, p('userId')),
        eq(conversations.id, p('conversationId')),
        eq(conversations.metadata, p('seen')),
      ),
    )
    .prepare()
}
