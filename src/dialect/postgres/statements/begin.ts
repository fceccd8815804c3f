import { sql } from 'drizzle-orm'
import { text } from '../../bind.ts'
import type { Statement } from './statement.ts'

/** Makes the conversation's row where there is none yet. */
export const begin: Statement = {
  steps: {
    begun: sql`
      insert into backscroll_conversations as c (
        user_id, id, encoding, framing, last_position, newest_position, turn_count, total_tokens, newest_saving,
        created_at, updated_at
      )
      select ${text('userId')}, ${text('conversationId')}, ${text('encoding')}, ${text('framing')}, 0, 0, 0, 0, 0,
             now(), now()
      on conflict (user_id, id) do nothing
      returning c.id`,
  },
  fields: { id: sql`id` },
  from: sql`begun`,
}
