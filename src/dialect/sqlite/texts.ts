import { and, eq, sql } from 'drizzle-orm'
import { bigint, text } from '../bind.ts'
import type { SqliteSession } from './session.ts'
import { conversations, turns } from './schema.ts'

const p = sql.placeholder

/** Replaces a turn's texts where they still are what was read. */
export function prepareReplaceTexts(session: SqliteSession) {
  return session
    .update(turns)
    .set({ messages: sql`${p('messages')}`, metadata: sql`${p('metadata')}` })
    .where(
      and(
        eq(turns.userId, text('userId')),
        eq(turns.conversationId, text('conversationId')),
        eq(turns.position, bigint('position')),
        eq(turns.messages, text('seenMessages')),
        sql`${turns.metadata} is ${text('seenMetadata')}`,
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
        eq(conversations.userId, text('userId')),
        eq(conversations.id, text('conversationId')),
        eq(conversations.metadata, text('seen')),
      ),
    )
    .prepare()
}
