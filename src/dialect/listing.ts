import { sql, type SQL } from 'drizzle-orm'
import type { ConversationRow } from './dialect.ts'

/**
 * A user's conversations, the one written to last first, below a place in that order. Bind `userId`, `limit`, and the
 * place: `conversationId`, and whatever `updatedAt` is made of.
 *
 * The user's rows are sorted here: an index over a column that every append changes would cost each of them.
 */
export function listing(updatedAt: SQL): SQL {
  return sql`(
    select id, turn_count, total_tokens, created_at, updated_at, metadata
    from backscroll_conversations
    where user_id = ${sql.placeholder('userId')}
      and (updated_at, id) < (${updatedAt}, ${sql.placeholder('conversationId')})
    order by updated_at desc, id desc
    limit ${sql.placeholder('limit')}
  ) as listed`
}

/** The fields of a listing for drizzle's select, in the order in which {@link toConversationRow} reads them. */
export const LISTING_FIELDS = {
  conversationId: sql`id`,
  turnCount: sql`turn_count`,
  totalTokens: sql`total_tokens`,
  createdAt: sql`created_at`,
  updatedAt: sql`updated_at`,
  metadata: sql`metadata`,
}

/** Reads a listing's row. `toDate` reads the driver's form of a time. */
export function toConversationRow(
  row: readonly unknown[],
  toDate: (value: unknown) => Date,
): ConversationRow {
  const [conversationId, turnCount, totalTokens, createdAt, updatedAt, metadata] = row
  return {
    conversationId: conversationId as string,
    turnCount: Number(turnCount),
    totalTokens: Number(totalTokens),
    createdAt: toDate(createdAt),
    updatedAt: toDate(updatedAt),
    metadata: metadata as string | null,
  }
}
