import { sql, type SQL } from 'drizzle-orm'
import { text } from '../../bind.ts'

/** A statement: a select, and the `steps` in its `with` clause. Data-modifying steps all run, whatever is selected. */
export interface Statement {
  readonly steps?: Readonly<Record<string, SQL>>
  readonly fields: Readonly<Record<string, SQL>>
  readonly from: SQL
}

/** Condition for the row of the conversation that `userId` and `conversationId` are bound to. */
export const itsRow = sql`user_id = ${text('userId')} and id = ${text('conversationId')}`

/** Condition for its turns. */
export const itsTurns = sql`user_id = ${text('userId')} and conversation_id = ${text('conversationId')}`
