import { ConversationTokenBufferMemory } from '@langchain/classic/memory'
import { FakeListChatModel } from '@langchain/core/utils/testing'
import type { BaseMessage } from '@langchain/core/messages'
import { addTurns, fromLangChain, openHistories } from './langchain-history.ts'
import { loadThenStore, type PeerKind } from './peer.ts'
import { openPool, tableBytes } from './postgres-pool.ts'
import type { Tokenizer } from './tokenizer.ts'

const TABLE = 'langchain_token_buffer'

/** LangChain's `ConversationTokenBufferMemory` over its Postgres history. */
export const tokenBuffer: PeerKind = {
  name: 'LangChain ConversationTokenBufferMemory',
  engine: 'Postgres',
  use: 'chatHistory: PostgresChatMessageHistory, returnMessages; loadMemoryVariables, saveContext',
  counter: 'js-tiktoken, o200k_base',
  source: 'docs.langchain.com/oss/javascript/integrations/memory/postgres, and the example in its class',
  // Above a hundred turns a saveContext takes minutes: it counts the whole conversation once for each message.
  why: 'it prunes the array that the history returned, and the Postgres history returns a copy: so nothing is pruned',
  reach: { load: 10_000, chat: 100, estimate: 1_000 },
  async open({ postgresUrl, tokenizer }) {
    const pool = openPool(postgresUrl)
    const historyOf = openHistories(pool, TABLE)
    const memoryOf = (conversation: string, limit: number) =>
      new ConversationTokenBufferMemory({
        llm: new CountingModel(tokenizer),
        chatHistory: historyOf(conversation),
        maxTokenLimit: limit,
        returnMessages: true,
      })
    const load = async (conversation: string, limit: number) => {
      const { history } = await memoryOf(conversation, limit).loadMemoryVariables({})
      return (history as BaseMessage[]).map(fromLangChain)
    }
    return {
      fill: (conversation, turns) => addTurns(historyOf(conversation), turns),
      load,
      chat: loadThenStore(load, (conversation, [question, answer], limit) =>
        memoryOf(conversation, limit).saveContext({ input: question.content }, { output: answer.content }),
      ),
      bytes: () => tableBytes(pool, [TABLE]),
      close: () => pool.end(),
    }
  },
}

/** A model that only counts. LangChain's own counts with js-tiktoken as well, with ranks that it downloads when asked. */
class CountingModel extends FakeListChatModel {
  readonly #tokenizer: Tokenizer

  constructor(tokenizer: Tokenizer) {
    super({ responses: [] })
    this.#tokenizer = tokenizer
  }

  override async getNumTokens(content: Parameters<FakeListChatModel['getNumTokens']>[0]): Promise<number> {
    return this.#tokenizer.count(String(content))
  }
}
