import type { Conversation, Message, Window } from '../../src/index.ts'
import type { MessageTokenizer, MessageTokens } from './message-tokens.ts'
import { PrefixCache } from './prefix-cache.ts'

/** What the requests of some turns came to. */
export interface Usage {
  turns: number
  requests: number
  /** Tokens of all requests, and those of them that the provider's cache served. */
  promptTokens: number
  cachedTokens: number
  /** The turns whose history had outgrown the limit, and the tokens of history that were sent with them. */
  outgrownTurns: number
  outgrownHistoryTokens: number
}

/** No turns yet. */
export function noUsage(): Usage {
  return {
    turns: 0,
    requests: 0,
    promptTokens: 0,
    cachedTokens: 0,
    outgrownTurns: 0,
    outgrownHistoryTokens: 0,
  }
}

/** A window as it is loaded, and what the requests with it came to so far. */
export interface ReplayedWindow {
  readonly maxTokens: number
  readonly retentionRatio: number
  readonly usage: Usage
}

/** How history is sent: in which windows, below which system prompt. */
export interface ReplayOptions {
  readonly windows: readonly ReplayedWindow[]
  readonly system: string
  readonly tokenizer: MessageTokenizer
}

/**
 * Has a chat once more, in a conversation that is empty and under chat framing: before a turn is appended, each of the
 * windows is loaded for it, the requests are made that led to it, and what they came to is added to the window's usage.
 * Each window has a cache of its own, which begins empty.
 *
 * The requests are those of a `ConversationChain`, one for each message of the assistant: the system prompt, the window,
 * which is loaded once a turn, and what the turn held until then.
 */
export async function replay(
  conversation: Conversation,
  turns: readonly (readonly Message[])[],
  { windows, system, tokenizer }: ReplayOptions,
): Promise<void> {
  const caches = windows.map((window) => ({ window, cache: new PrefixCache() }))
  const opening = tokenizer.tokensOf({ role: 'system', content: system })
  const stored = new Map<number, readonly MessageTokens[]>()
  for (const turn of turns) {
    conversation.check(turn)
    const tokens = turn.map((message) => tokenizer.tokensOf(message))
    for (const { window, cache } of caches) {
      const { usage } = window
      const loaded = await conversation.loadWindow(window)
      const history = loaded.turns.flatMap(({ position }) => stored.get(position)!)
      checkCount(loaded, history)
      usage.turns++
      if (loaded.omittedTurns > 0) {
        usage.outgrownTurns++
        usage.outgrownHistoryTokens += loaded.tokenCount
      }
      for (const [index, { role }] of turn.entries()) {
        if (role !== 'assistant') continue
        const request = [opening, ...history, ...tokens.slice(0, index), tokenizer.priming]
        usage.requests++
        usage.promptTokens += lengthOf(request)
        usage.cachedTokens += cache.send(request)
      }
    }
    const { position } = await conversation.append(turn)
    stored.set(position, tokens)
  }
}

/** What is replayed must be what is counted: the store counts with our encoder, the tokens come from js-tiktoken. */
function checkCount({ tokenCount }: Window, history: readonly MessageTokens[]): void {
  const tokens = lengthOf(history)
  if (tokens !== tokenCount) {
    throw new Error(`A window of ${tokenCount} tokens has ${tokens} when its messages are tokenized.`)
  }
}

function lengthOf(messages: readonly MessageTokens[]): number {
  return messages.reduce((sum, tokens) => sum + tokens.length, 0)
}
