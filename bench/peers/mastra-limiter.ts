import { MessageList, TripWire } from '@mastra/core/agent'
import { TokenLimiterProcessor } from '@mastra/core/processors'
import { Memory } from '@mastra/memory'
import { asMastra, DURABILITY, openMastraStore, RESOURCE, saveTurns, type MastraDatabase } from './mastra.ts'
import { noteCalls } from './note-calls.ts'
import { loadThenStore, type PeerKind, type PeerMessage } from './peer.ts'

/**
 * Tokens of the limit for each message that is loaded: some twice as many messages as fit, so that it is the limit that
 * decides. With the default, 10 messages, no limit above some 1,000 tokens would be reached.
 */
const TOKENS_PER_LAST_MESSAGE = 50

/** Mastra's memory with `lastMessages`, and its token limiter on what the model would be given. */
export function mastraLimiter(database: MastraDatabase): PeerKind {
  return {
    name: `Mastra TokenLimiterProcessor, ${database}`,
    engine: database === 'Postgres' ? 'Postgres' : 'SQLite',
    use: `memory.recall with lastMessages: limit / ${TOKENS_PER_LAST_MESSAGE}, then TokenLimiterProcessor (contiguous) on the prompt, as an agent calls it; saveMessages${DURABILITY[database]}`,
    counter: 'tokenx, an estimate',
    source: 'mastra.ai/reference/processors/token-limiter-processor',
    why: 'it cuts between messages, not turns, and its counts are estimates',
    reach: { load: 10_000, chat: 10_000, estimate: 10_000 },
    async open(place) {
      const store = await openMastraStore(database, place, 'mastra_limiter')
      const memory = new Memory({ storage: store.storage })
      noteCalls(TokenLimiterProcessor.prototype, 'countTokens', place.tokenizer)
      const limiterOf = (limit: number) => new TokenLimiterProcessor({ limit, trimMode: 'contiguous' })
      const load = async (threadId: string, limit: number) => {
        const lastMessages = Math.ceil(limit / TOKENS_PER_LAST_MESSAGE)
        const { messages } = await memory.recall({
          threadId,
          resourceId: RESOURCE,
          threadConfig: { lastMessages },
        })
        const list = new MessageList({ threadId, resourceId: RESOURCE }).add(messages, 'memory')
        const prompt = await list.get.all.aiV5.llmPrompt()
        return (await trim(limiterOf(limit), prompt)).map(fromPrompt)
      }
      return {
        fill: (conversation, turns) => saveTurns(memory, conversation, turns),
        load,
        chat: loadThenStore(load, (conversation, turn) => saveTurns(memory, conversation, [turn])),
        async count(window) {
          const counts = await Promise.all(
            asMastra(window).map((message) => limiterOf(0).countMessage(message)),
          )
          return counts.reduce((sum, count) => sum + count, TOKENS_PER_CONVERSATION)
        },
        bytes: store.bytes,
        close: store.close,
      }
    },
  }
}

/** None where not even the newest message fits: an agent refuses the request then. */
async function trim(limiter: TokenLimiterProcessor, prompt: Prompt): Promise<Prompt> {
  try {
    return (await limiter.processLLMRequest({ prompt } as LimiterRequest))?.prompt ?? prompt
  } catch (error) {
    if (error instanceof TripWire) return []
    throw error
  }
}

/** What the limiter takes for a conversation beside its messages. Source: its class, where the figure is private. */
const TOKENS_PER_CONVERSATION = 24

/** What the limiter reads of a request is the prompt. */
type LimiterRequest = Parameters<TokenLimiterProcessor['processLLMRequest']>[0]

type Prompt = LimiterRequest['prompt']

function fromPrompt({ role, content }: Prompt[number]): PeerMessage {
  const texts =
    typeof content === 'string' ? [content] : content.map((part) => ('text' in part ? part.text : ''))
  return { role: role === 'user' ? 'user' : 'assistant', content: texts.join('') }
}
