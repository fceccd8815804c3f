import { trimMessages, type BaseMessage } from '@langchain/core/messages'
import type { PeerMessage } from './peer.ts'
import type { Tokenizer } from './tokenizer.ts'

/** Tokens that the chat form adds: to a message, and once for the reply. Source: OpenAI cookbook, as in LangChain's guide. */
const TOKENS_PER_MESSAGE = 3
const TOKENS_OF_REPLY = 3

/** Counts messages. */
export type MessageCounter = (messages: readonly BaseMessage[]) => number

/** The token counter of LangChain's guide to trimming: each message is encoded each time that it is asked for. */
export function chatCounter(tokenizer: Tokenizer): MessageCounter {
  return (messages) =>
    messages.reduce((sum, message) => sum + countMessage(message, tokenizer), TOKENS_OF_REPLY)
}

/** The same counts, a message encoded once for as long as it lives: what a user does who saw how often it is asked for. */
export function rememberingCounter(tokenizer: Tokenizer): MessageCounter {
  const counts = new WeakMap<BaseMessage, number>()
  const count = (message: BaseMessage) => {
    const known = counts.get(message) ?? countMessage(message, tokenizer)
    counts.set(message, known)
    return known
  }
  return (messages) => messages.reduce((sum, message) => sum + count(message), TOKENS_OF_REPLY)
}

/** The newest messages under a limit, from a question on. */
export function trim(messages: BaseMessage[], maxTokens: number, counter: MessageCounter) {
  return trimMessages(messages, {
    maxTokens,
    strategy: 'last',
    startOn: 'human',
    includeSystem: true,
    tokenCounter: counter,
  })
}

/** The count of a window under the rule of both counters. */
export function countChat(window: readonly PeerMessage[], tokenizer: Tokenizer): number {
  const counts = window.map(({ role, content }) => tokenizer.count(role) + tokenizer.count(content))
  return counts.reduce((sum, count) => sum + count + TOKENS_PER_MESSAGE, TOKENS_OF_REPLY)
}

function countMessage(message: BaseMessage, tokenizer: Tokenizer): number {
  const role = message.type === 'human' ? 'user' : 'assistant'
  return TOKENS_PER_MESSAGE + tokenizer.count(role) + tokenizer.count(message.text)
}
