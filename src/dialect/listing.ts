import { sql, type SQL } from 'drizzle-orm'
import { text } from './bind.ts'
import type { ConversationRow, ConversationText, ListPosition } from './dialect.ts'

/** How a dialect says when a conversation was last written to, in microseconds since 1970, and that it was before then. */
export interface UpdatedAt {
  readonly microseconds: SQL
  /** Bound as `before`. */
  readonly before: SQL
}

/**
 * A user's conversations, the one written to last first, below a place in that order. Bind `userId`, `limit`, and the
 * place: `before`, in microseconds, and `conversationId`.
 *
 * The user's rows are sorted here: an index over a column that every append changes would cost each of them.
 */
export function listing({ microseconds, before }: UpdatedAt): SQL {
  return sql`(
    select id, turn_count, total_tokens, created_at, ${microseconds} as updated_at, metadata
    from backscroll_conversations
    where user_id = ${text('userId')}
      and (updated_at, id) < (${before}, ${text('conversationId')})
    order by backscroll_conversations.updated_at desc, id desc
    limit ${sql.placeholder('limit')}
  ) as listed`
}

/** Binds where a list goes on, or that it starts with the newest. */
export function listFrom(place: ListPosition | undefined): { before: number; conversationId: string } {
  return { before: place?.updatedAt ?? Number.MAX_SAFE_INTEGER, conversationId: place?.conversationId ?? '' }
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
    updatedAt: Number(updatedAt),
    metadata: metadata as string | null,
  }
}

/** A user's conversations by rising id, above one. Bind `userId`, `after` (empty for the first) and `limit`. */
export const walk = sql`(
  select id, metadata
  from backscroll_conversations
  where user_id = ${text('userId')} and id > ${text('after')}
  order by id
  limit ${sql.placeholder('limit')}
) as walked`

/** The fields of a walk for drizzle's select, in the order in which {@link toConversationText} reads them. */
export const WALK_FIELDS = { conversationId: sql`id`, metadata: sql`metadata` }

/** Reads a walk's row. */
export function toConversationText([conversationId, metadata]: readonly unknown[]): ConversationText {
  return { conversationId: conversationId as string, metadata: metadata as string | null }
}
