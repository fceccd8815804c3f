import type { Question } from '../../src/local-model/model.ts'
import type { ContentPart, Message } from '../../src/index.ts'
import {
  chatTokens,
  DEFAULT_PREFIXES,
  newestRetained,
  render,
  textTokens,
  type Count,
  type Prefixes,
} from './oracle.ts'

// The slow, obvious answers for whole requests: written from what is promised, and sharing no code with the chain.

/** What decides how long a chain's requests may be. */
export interface Setting {
  readonly api: Question['api']
  /** True: the history is sent as messages; false: within LangChain's prompt. */
  readonly returnMessages: boolean
  readonly system: string | undefined
  /** As the endpoint takes them. */
  readonly tools: readonly object[]
  readonly prefixes?: Prefixes
  /** `contextWindow` less `maxOutputTokens`; Infinity where there is no `contextWindow`. */
  readonly maxRequestTokens: number
  /** The memory's own. */
  readonly maxTokenLimit: number
  readonly retentionRatio: number
}

/** What a part that is not text costs in the tests, whichever form it is sent in. */
export const countPart = ({ type }: ContentPart): number => (type === 'image_url' ? 85 : 40)

/** Tokens of a request as it came to the server: a prompt, or messages in chat form, tools and what primes the reply. */
export function receivedTokens({ api, messages, body }: Question, count: Count): number {
  if (api === 'completions') return count(String(body['prompt']))
  const tools = body['tools'] === undefined ? 0 : count(JSON.stringify(body['tools']))
  return chatTokens(messages, count, countPart) + tools + 3
}

/** A request's messages: system message, history and input, and the rounds of tools of this turn. */
export function requestOf(
  { api, returnMessages, system, prefixes = DEFAULT_PREFIXES }: Setting,
  history: readonly Message[],
  input: string,
  rounds: readonly Message[],
): Message[] {
  const prompt = `The following is a friendly conversation between a human and an AI. The AI is talkative and provides lots of specific details from its context. If the AI does not know the answer to a question, it truthfully says it does not know.

Current conversation:
${render(history, prefixes)}
${prefixes.humanPrefix}: ${input}
${prefixes.aiPrefix}:`
  if (api === 'completions') {
    return [{ role: 'user', content: system === undefined ? prompt : `${system}\n\n${prompt}` }]
  }
  const said: Message[] = returnMessages
    ? [...history, { role: 'user', content: input }]
    : [{ role: 'user', content: prompt }]
  return [...(system === undefined ? [] : [{ role: 'system', content: system } as const]), ...said, ...rounds]
}

/** What tells one message from another, whichever endpoint carried it. An assistant that says nothing is not carried by all. */
export function outlineOf(messages: readonly Message[]): object[] {
  return messages.flatMap((message) => {
    const { role } = message
    const calls = ('tool_calls' in message && message.tool_calls) || []
    const answers = 'tool_call_id' in message ? message.tool_call_id : undefined
    const text = render([{ role: 'user', content: message.content ?? '' } as Message]).slice('Human: '.length)
    return role === 'assistant' && text === '' && calls.length === 0 ? [] : [{ role, text, calls, answers }]
  })
}

/**
 * How many of the newest turns each request of a turn carries, the first one and one more after each round: tries them
 * all. The list ends early at a request that does not fit without any of them.
 *
 * The rule: what the first request without a history leaves of the window is the limit of the history, or the memory's
 * own where that is less, both counted as text. Of those turns, a request carries as many as leave it within the window,
 * and never more than the request before it.
 */
export function historiesOf(
  setting: Setting,
  { turns, input, rounds }: { turns: readonly Message[][]; input: string; rounds: readonly Message[][] },
  count: Count,
): number[] {
  const { api, tools, prefixes, maxRequestTokens, maxTokenLimit, retentionRatio } = setting
  const tokensOf = (kept: number, roundCount: number) => {
    const history = turns.slice(turns.length - kept).flat()
    const messages = requestOf(setting, history, input, rounds.slice(0, roundCount).flat())
    const body = tools.length === 0 ? { prompt: messages[0]!.content } : { tools }
    return receivedTokens({ api, messages, body, signal: new AbortController().signal }, count)
  }
  const room = maxRequestTokens - tokensOf(0, 0)
  if (room < 0) return []
  const limit = Math.min(room, maxTokenLimit)
  let kept = newestRetained(turns, limit, retentionRatio, textTokens(count, prefixes))
  const histories: number[] = []
  for (let done = 0; done <= rounds.length; done++) {
    while (kept > 0 && tokensOf(kept, done) > maxRequestTokens) kept--
    if (tokensOf(kept, done) > maxRequestTokens) break
    histories.push(kept)
  }
  return histories
}
