import { BaseListChatMessageHistory } from '@langchain/core/chat_history'
import type { BaseMessage } from '@langchain/core/messages'
import { openBounded, type BoundedOptions } from '../store/bounded.ts'
import type { Conversation } from '../store/conversation.ts'
import type { LoadWindowOptions } from '../store/options.ts'
import { withoutOrphans } from '../store/orphans.ts'
import { fromChatForm, toChatForm } from './chat-form.ts'

/** Which conversation the history is, and how much of it to give. */
export interface BackscrollChatMessageHistoryOptions extends BoundedOptions {}

/**
 * A conversation as LangChain's chat message history: for `RunnableWithMessageHistory`, and as the `chatHistory` of its
 * memories. A human message opens a turn, and what follows joins it, so that a window does not part a call of a tool from
 * its result; where a person spoke between the two, the result is left out with the call.
 */
export class BackscrollChatMessageHistory extends BaseListChatMessageHistory {
  lc_namespace = ['backscroll', 'langchain']
  // Private, as they must not show where LangChain's tracers write down what a chain is made of.
  readonly #conversation: Conversation
  readonly #window: LoadWindowOptions
  readonly #isWindowed: boolean

  /** @throws {InvalidArgumentError} in one of its subclasses, for an option that is missing or out of range. */
  constructor(options: BackscrollChatMessageHistoryOptions) {
    super()
    const { conversation, window } = openBounded('The history', options)
    this.#conversation = conversation
    this.#window = window
    this.#isWindowed = options.maxTokens !== undefined
  }

  /** The conversation that it keeps, for what LangChain has no method for. */
  get conversation(): Conversation {
    return this.#conversation
  }

  /** The messages, oldest first: all of them, or the newest whole turns that fit `maxTokens`, less results without calls. One statement. */
  async getMessages(): Promise<BaseMessage[]> {
    const { messages } = await this.#conversation.loadWindow(this.#window)
    return (this.#isWindowed ? withoutOrphans(messages) : messages).map(fromChatForm)
  }

  /** Adds a message. A human one opens a turn, another joins the newest turn. */
  async addMessage(message: BaseMessage): Promise<void> {
    await this.addMessages([message])
  }

  /**
   * Adds messages in one atomic step.
   *
   * @throws {InvalidMessageError} for what is no message, or holds what JSON cannot keep; nothing is written then.
   */
  override async addMessages(messages: BaseMessage[]): Promise<void> {
    await this.#conversation.addMessages(toChatForm(messages))
  }

  /** Drops all messages. */
  override async clear(): Promise<void> {
    await this.#conversation.clear()
  }
}
