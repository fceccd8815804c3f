import type { MessageTokens } from './message-tokens.ts'

/**
 * The shortest prefix that is cached, in tokens, and the steps in which longer ones are.
 *
 * Source: OpenAI cookbook, "Prompt Caching 201", 1.1 (https://developers.openai.com/cookbook/examples/prompt_caching_201).
 * Reach: OpenAI's models from GPT-4o on and before GPT-5.6.
 */
const LEAST_TOKENS = 1024
const STEP_TOKENS = 128

/** Requests that begin with the same message, by that message; and then by the next one. */
interface Branches extends Map<MessageTokens, Branches> {}

/**
 * What a provider's cache holds of one conversation's requests: each as a prefix, from then on.
 *
 * Real caches drop what has not been asked for in some 5 to 10 minutes, and a request may reach a machine that has not seen
 * the one before: so this is the most that a cache could serve.
 *
 * Messages are compared as wholes, since equal ones are the same array, and only the first one that differs token by
 * token: it is the prefix that comparing all token ids would find.
 */
export class PrefixCache {
  readonly #sent: Branches = new Map()

  /** How many tokens of a request the cache serves; from then on it holds the request as well. */
  send(request: readonly MessageTokens[]): number {
    let branches = this.#sent
    let shared = 0
    let isNew = false
    for (const message of request) {
      const known = branches.get(message)
      if (known) {
        shared += message.length
        branches = known
        continue
      }
      if (!isNew) shared += longestShared(message, branches.keys())
      isNew = true
      const next: Branches = new Map()
      branches.set(message, next)
      branches = next
    }
    return shared < LEAST_TOKENS ? 0 : shared - (shared % STEP_TOKENS)
  }
}

function longestShared(message: MessageTokens, others: Iterable<MessageTokens>): number {
  let longest = 0
  for (const other of others) {
    let at = 0
    while (at < message.length && message[at] === other[at]) at++
    longest = Math.max(longest, at)
  }
  return longest
}
