import { load } from '@langchain/core/load'
import type { BaseMessage } from '@langchain/core/messages'
import type { Pool } from 'pg'

/** Reads the newest checkpoint as LangGraph's class of this name does, which the tests do not install. */
export class PostgresSaver {
  readonly #pool: Pool

  constructor(pool: Pool) {
    this.#pool = pool
  }

  async getTuple({ configurable }: { configurable: { thread_id: string } }): Promise<object> {
    const { rows } = await this.#pool.query(
      `select convert_from(blob, 'utf8') as messages from checkpoints
       left join checkpoint_blobs using (thread_id, checkpoint_ns)
       where thread_id = $1 and checkpoint_ns = ''
         and (version is null or version = checkpoint -> 'channel_versions' ->> 'messages')
       order by checkpoint_id desc limit 1`,
      [configurable.thread_id],
    )
    const json: string | null = rows[0].messages
    return { checkpoint: { channel_values: json === null ? {} : { messages: await messagesIn(json) } } }
  }
}

function messagesIn(json: string): Promise<BaseMessage[]> {
  const messages = JSON.parse(json) as object[]
  return Promise.all(messages.map((message) => load<BaseMessage>(JSON.stringify(message))))
}
