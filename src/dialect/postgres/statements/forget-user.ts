import { sql } from 'drizzle-orm'
import { text } from '../../bind.ts'
import type { Statement } from './statement.ts'

/** The foreign key drops the turns with their conversation, also one that is being appended at this moment. */
export const forgetUser: Statement = {
  steps: {
    erased: sql`delete from backscroll_conversations where user_id = ${text('userId')} returning turn_count`,
  },
  fields: { conversations: sql`conversations`, turns: sql`turns` },
  from: sql`(select count(*) as conversations, coalesce(sum(turn_count), 0) as turns from erased) as answer`,
}
