import { Memory } from '@mastra/memory'
import { TokenCounter } from '@mastra/memory/processors'
import {
  asMastra,
  DURABILITY,
  fromMastra,
  openMastraStore,
  RESOURCE,
  saveTurns,
  type MastraDatabase,
} from './mastra.ts'
import { noteCalls } from './note-calls.ts'
import { loadThenStore, type PeerKind } from './peer.ts'

/** Mastra's memory with its own token budget for the history. */
export function mastraHistory(database: MastraDatabase): PeerKind {
  return {
    name: `Mastra messageHistory.maxTokens, ${database}`,
    engine: database === 'Postgres' ? 'Postgres' : 'SQLite',
    use: `memory.recall with messageHistory { maxTokens: limit, atMaxRemoveTokens: 0 }; saveMessages${DURABILITY[database]}`,
    counter: 'tokenx, an estimate',
    source: 'mastra.ai/docs/memory/message-history, "Limit history by tokens"',
    why: 'it cuts between messages, not turns, and its counts are estimates',
    reach: { load: 10_000, chat: 10_000, estimate: 10_000 },
    async open(place) {
      const store = await openMastraStore(database, place, 'mastra_history')
      const memory = new Memory({ storage: store.storage })
      noteCalls(TokenCounter.prototype, 'countString', place.tokenizer)
      const load = async (threadId: string, maxTokens: number) => {
        // 0: as much as fits. By default a quarter of the budget is left free when it is cut.
        const messageHistory = { maxTokens, atMaxRemoveTokens: 0 }
        const { messages } = await memory.recall({
          threadId,
          resourceId: RESOURCE,
          threadConfig: { messageHistory },
        })
        return messages.map(fromMastra)
      }
      return {
        fill: (conversation, turns) => saveTurns(memory, conversation, turns),
        load,
        chat: loadThenStore(load, (conversation, turn) => saveTurns(memory, conversation, [turn])),
        count: (window) => new TokenCounter().countMessages(asMastra(window)),
        bytes: store.bytes,
        close: store.close,
      }
    },
  }
}
