import { mapStoredMessagesToChatMessages, type BaseMessage } from '@langchain/core/messages'
import type { Pool } from 'pg'

/** Reads as LangChain's class of this name does, which the tests do not install. */
export class PostgresChatMessageHistory {
  readonly #fields: { readonly pool: Pool; readonly sessionId: string }

  constructor(fields: { pool: Pool; sessionId: string }) {
    this.#fields = fields
  }

  async getMessages(): Promise<BaseMessage[]> {
    const { pool, sessionId } = this.#fields
    const query = 'select message from langchain_chat_histories where session_id = $1 order by id'
    const { rows } = await pool.query(query, [sessionId])
    return mapStoredMessagesToChatMessages(
      rows.map(({ message: { type, ...data } }: { message: { type: string } }) => ({ type, data }) as never),
    )
  }
}
