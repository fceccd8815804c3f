import { Tiktoken } from 'js-tiktoken/lite'
import o200k from 'js-tiktoken/ranks/o200k_base'
import type { Message } from '../../src/index.ts'
import { contentText, toolCallsText } from '../../src/tokens/render.ts'

/** The token ids of a message, those that the chat form adds included. */
export type MessageTokens = readonly number[]

/**
 * What the chat form writes around the parts of a message. A provider's own ids are not published; all that counts here
 * is that they are none that a text has. A message begins with one, and ends with one that stands nowhere else: so two
 * messages that differ do so before the shorter one ends.
 */
const [START, NAME, CONTENT, END] = [-1, -2, -3, -4]

/**
 * Turns messages into tokens of `o200k_base`. js-tiktoken tells them, our own encoder only how many there are; and so
 * each window's count is checked by another hand.
 */
export class MessageTokenizer {
  readonly #tiktoken = new Tiktoken(o200k)
  readonly #known = new Map<string, MessageTokens>()

  /** What primes the reply, at the end of each request: the beginning of the message that is to come. */
  readonly priming: MessageTokens = [START, ...this.#encode('assistant'), CONTENT]

  /** Messages that a provider cannot tell apart give the same array. */
  tokensOf(message: Message): MessageTokens {
    const name = 'name' in message ? message.name : undefined
    const callId = 'tool_call_id' in message ? message.tool_call_id : ''
    const content = [contentText(message), toolCallsText(message), callId]
    const key = JSON.stringify([message.role, name, content])
    let tokens = this.#known.get(key)
    if (!tokens) {
      tokens = [
        START,
        ...this.#encode(message.role),
        ...(name === undefined ? [] : [NAME, ...this.#encode(name)]),
        CONTENT,
        ...content.flatMap((text) => this.#encode(text)),
        END,
      ]
      this.#known.set(key, tokens)
    }
    return tokens
  }

  #encode(text: string): number[] {
    // Without the two lists it throws on a text such as <|endoftext|>.
    return this.#tiktoken.encode(text, [], [])
  }
}
