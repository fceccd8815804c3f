import { BaseMemory, type InputValues, type MemoryVariables, type OutputValues } from '@langchain/core/memory'
import { InvalidArgumentError } from '../errors.ts'
import {
  ConversationTokenBufferMemory as TurnMemory,
  type ConversationTokenBufferMemoryOptions,
  type SaveContextOptions,
} from '../memory/token-buffer-memory.ts'
import type { Conversation } from '../store/conversation.ts'
import type { CallOptions } from '../store/options.ts'
import { withoutOrphans } from '../store/orphans.ts'
import { fromChatForm } from './chat-form.ts'
import { BackscrollChatMessageHistory } from './chat-message-history.ts'

/** The options of LangChain's class but for `chatHistory`, and which conversation of which store it keeps. */
export interface ConversationTokenBufferMemoryInput extends ConversationTokenBufferMemoryOptions {
  /** What LangChain's class counts with. It may stay; tokens are counted in `encoding`, and no model is asked. */
  readonly llm?: unknown
}

/**
 * LangChain's `ConversationTokenBufferMemory`, kept in a database: for its chains, with its messages. It gives the
 * newest whole turns under the limit, where LangChain's also gives an answer whose question it dropped; saves a turn as
 * one; and deletes nothing.
 */
export class ConversationTokenBufferMemory extends BaseMemory {
  readonly memoryKey: string
  readonly maxTokenLimit: number
  readonly returnMessages: boolean
  readonly humanPrefix: string
  readonly aiPrefix: string
  // Absent rather than undefined: so LangChain's BaseChatMemory declares them.
  readonly inputKey?: string
  readonly outputKey?: string
  /** The same conversation, as a history that gives the same window. */
  readonly chatHistory: BackscrollChatMessageHistory
  // Private, as LangChain's chains write down their memory's properties for tracers.
  readonly #memory: TurnMemory

  /** @throws {InvalidArgumentError} in one of its subclasses, for an option that is missing or out of range. */
  constructor(options: ConversationTokenBufferMemoryInput) {
    super()
    const memory = new TurnMemory(options)
    checkNoHistory(options)
    this.#memory = memory
    this.memoryKey = memory.memoryKey
    this.maxTokenLimit = memory.maxTokenLimit
    this.returnMessages = memory.returnMessages
    this.humanPrefix = memory.humanPrefix
    this.aiPrefix = memory.aiPrefix
    if (memory.inputKey !== undefined) this.inputKey = memory.inputKey
    if (memory.outputKey !== undefined) this.outputKey = memory.outputKey
    this.chatHistory = new BackscrollChatMessageHistory({
      store: options.store,
      userId: options.userId,
      conversationId: options.conversationId,
      encoding: memory.encoding,
      framing: memory.framing,
      maxTokens: memory.maxTokenLimit,
      retentionRatio: memory.retentionRatio,
    })
  }

  /** The conversation that it keeps, for what LangChain has no method for. */
  get conversation(): Conversation {
    return this.#memory.conversation
  }

  /** The keys that `loadMemoryVariables` returns. */
  get memoryKeys(): string[] {
    return this.#memory.memoryKeys
  }

  /**
   * The history under the memory key: one string, or LangChain's messages with `returnMessages`. One statement; nothing
   * is counted. The values that a chain passes in are not looked at.
   */
  async loadMemoryVariables(_values?: InputValues, options?: CallOptions): Promise<MemoryVariables> {
    const { messages } = await this.#memory.loadWindow(options)
    return {
      [this.memoryKey]: this.returnMessages
        ? withoutOrphans(messages).map(fromChatForm)
        : this.#memory.render(messages),
    }
  }

  /**
   * Stores what the person said and what was answered as one turn, in one step.
   *
   * @throws {UnresolvedKeyError} when either cannot be told from the values; nothing is written then.
   */
  async saveContext(
    inputValues: InputValues,
    outputValues: OutputValues,
    options?: SaveContextOptions,
  ): Promise<void> {
    await this.#memory.saveContext(inputValues, outputValues, options)
  }

  /** Drops all turns of the conversation. */
  async clear(options?: CallOptions): Promise<void> {
    await this.#memory.clear(options)
  }
}

/** A history that was kept elsewhere until now would be left behind in silence. */
function checkNoHistory(options: object): void {
  if (!('chatHistory' in options) || options.chatHistory === undefined) return
  throw new InvalidArgumentError(
    'This memory keeps its messages in the store: give it userId and conversationId in place of chatHistory.',
  )
}
