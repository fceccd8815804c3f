import { addTurns, fromLangChain, openHistories } from './langchain-history.ts'
import { loadThenStore, type PeerKind, type Reach } from './peer.ts'
import { openPool, tableBytes } from './postgres-pool.ts'
import type { Tokenizer } from './tokenizer.ts'
import { chatCounter, countChat, rememberingCounter, trim, type MessageCounter } from './trim.ts'

const REMEMBERING = 'LangChain trimMessages, counts remembered'

/** LangChain's `trimMessages` over its Postgres history, with the counter of its guide. */
export const trimMessagesAsDocumented = trimming({
  name: 'LangChain trimMessages',
  table: 'langchain_trim',
  counting: 'the token counter of the guide, by js-tiktoken',
  counterOf: chatCounter,
  // It counts the whole conversation, then all but the oldest message, and so on.
  reach: { load: 100, chat: 100, estimate: 1_000 },
  sameAs: REMEMBERING,
})

/** The same with a counter that encodes each message once a load, which the guide does not do. */
export const trimMessagesRemembering = trimming({
  name: REMEMBERING,
  table: 'langchain_trim_remembering',
  counting: 'the same counter, which remembers each message for as long as the load',
  counterOf: rememberingCounter,
  reach: { load: 1_000, chat: 1_000, estimate: 1_000 },
})

interface Trimming {
  readonly name: string
  readonly table: string
  readonly counting: string
  readonly counterOf: (tokenizer: Tokenizer) => MessageCounter
  readonly reach: Reach
  readonly sameAs?: string
}

function trimming({ table, counting, counterOf, ...kind }: Trimming): PeerKind {
  return {
    ...kind,
    engine: 'Postgres',
    use: `PostgresChatMessageHistory; getMessages, trimMessages (last, startOn human, includeSystem), addMessages; ${counting}`,
    counter: 'js-tiktoken, o200k_base',
    source: 'js.langchain.com/docs/how_to/trim_messages',
    async open({ postgresUrl, tokenizer }) {
      const pool = openPool(postgresUrl)
      const historyOf = openHistories(pool, table)
      const load = async (conversation: string, limit: number) => {
        const messages = await historyOf(conversation).getMessages()
        return (await trim(messages, limit, counterOf(tokenizer))).map(fromLangChain)
      }
      return {
        fill: (conversation, turns) => addTurns(historyOf(conversation), turns),
        load,
        chat: loadThenStore(load, (conversation, turn) => addTurns(historyOf(conversation), [turn])),
        count: (window) => countChat(window, tokenizer),
        bytes: () => tableBytes(pool, [table]),
        close: () => pool.end(),
      }
    },
  }
}
