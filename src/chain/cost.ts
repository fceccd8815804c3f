import { countTurn, type CountPart } from '../tokens/count.ts'
import type { Encoder } from '../tokens/encoder.ts'
import type { Steps } from '../tokens/steps.ts'
import type { ChatFraming } from '../tokens/framing.ts'
import { exchangeOf, type ModelRequest } from './endpoints/endpoint.ts'

/** Tokens that prime the reply. Source: OpenAI cookbook, "How to count tokens with tiktoken". Reach: chat form. */
const PRIMING_TOKENS = 3

/** How a model is charged for messages, whatever the memory counts its history as. */
export const CHAT_FRAMING: ChatFraming = { kind: 'chat' }

/**
 * Counts a request of messages: all of them, the tools as the JSON text that is sent, and what primes the reply. How
 * OpenAI writes tools into the prompt is not published: what is sent is what can be counted.
 */
export function* countRequest(
  { opening, rounds, tools }: Omit<ModelRequest, 'tools'> & { readonly tools: readonly object[] },
  encoder: Encoder,
  countPart: CountPart | undefined,
): Steps<number> {
  const messages = [...opening, ...exchangeOf(rounds)]
  const counting = { encoding: encoder.encoding, framing: CHAT_FRAMING, countPart }
  const { tokenCount } = yield* countTurn(messages, encoder, counting)
  const hiddenTokens = rounds.reduce((sum, { reply }) => sum + reply.hiddenTokens, 0)
  const toolTokens = tools.length === 0 ? 0 : yield* encoder.count(JSON.stringify(tools))
  return tokenCount + hiddenTokens + toolTokens + PRIMING_TOKENS
}
