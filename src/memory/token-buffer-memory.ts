import { InvalidArgumentError } from '../errors.ts'
import { kindOf } from '../redact.ts'
import { checkHasStore } from '../store/bounded.ts'
import { checkFlag, checkOptions, checkRatio, checkWhole } from '../store/arguments.ts'
import type { ConversationStore } from '../store/conversation-store.ts'
import type { Conversation } from '../store/conversation.ts'
import type { CallOptions } from '../store/options.ts'
import { checkEncoding, DEFAULT_ENCODING, encodingForModel, type EncodingName } from '../tokens/encodings.ts'
import { textFraming, type TextFraming } from '../tokens/framing.ts'
import { renderText } from '../tokens/render.ts'
import type { Message, Window } from '../types.ts'
import { resolveInput, resolveOutput } from './keys.ts'

/** Which conversation the memory keeps, and how it gives its history. */
export interface ConversationTokenBufferMemoryOptions {
  readonly store: ConversationStore
  /** Whose conversation it is: 1 to 512 UTF-8 bytes. */
  readonly userId: string
  /** Which of the user's conversations: 1 to 512 UTF-8 bytes. */
  readonly conversationId: string
  /** The most tokens of history, inclusive, counted on the joined string. A whole number, 0 or more; 2000 by default. */
  readonly maxTokenLimit?: number | undefined
  /** True returns messages in OpenAI chat form; false, the default, one string. The limit counts the string either way. */
  readonly returnMessages?: boolean | undefined
  /** The key under which the history is returned. Default: `history`. */
  readonly memoryKey?: string | undefined
  /** What stands before a person's lines. Default: `Human`. */
  readonly humanPrefix?: string | undefined
  /** What stands before the model's lines. Default: `AI`. */
  readonly aiPrefix?: string | undefined
  /** Which of several input values is what the person said. */
  readonly inputKey?: string | undefined
  /** Which of several output values is the answer. */
  readonly outputKey?: string | undefined
  /** The vocabulary to count in. Default: `o200k_base`. */
  readonly encoding?: EncodingName | undefined
  /** A model whose vocabulary to count in, instead of `encoding`. */
  readonly model?: string | undefined
  /** From 0 to 1. 1, the default, is the exact newest window; below 1 its start moves in steps, for prompt caches. */
  readonly retentionRatio?: number | undefined
}

/** What saving a turn may be given besides its values. */
export interface SaveContextOptions extends CallOptions {
  /** Names this turn, so that saving it again adds nothing. */
  readonly idempotencyKey?: string | undefined
}

/** How much of a memory's window to load. */
export interface MemoryWindowOptions extends CallOptions {
  /** A lower limit than the memory's own, for this call. A whole number of tokens, 0 or more. */
  readonly maxTokens?: number | undefined
}

/**
 * The newest whole turns of a conversation under a token limit: what LangChain's class of the same name promises,
 * kept in a database. Nothing is deleted to make the history fit.
 */
export class ConversationTokenBufferMemory {
  readonly memoryKey: string
  readonly maxTokenLimit: number
  readonly returnMessages: boolean
  readonly humanPrefix: string
  readonly aiPrefix: string
  readonly inputKey: string | undefined
  readonly outputKey: string | undefined
  readonly encoding: EncodingName
  readonly retentionRatio: number
  /** The conversation that it keeps, for what the memory has no method for. */
  readonly conversation: Conversation
  /** How the history is rendered, and so counted. */
  readonly framing: TextFraming

  /** @throws {InvalidArgumentError} in one of its subclasses, for an option that is missing or out of range. */
  constructor(options: ConversationTokenBufferMemoryOptions) {
    const { store, userId, conversationId, humanPrefix, aiPrefix } = checkHasStore('The memory', options)
    this.memoryKey = checkKey('memoryKey', options.memoryKey ?? 'history')
    this.inputKey = options.inputKey === undefined ? undefined : checkKey('inputKey', options.inputKey)
    this.outputKey = options.outputKey === undefined ? undefined : checkKey('outputKey', options.outputKey)
    this.maxTokenLimit = checkWhole('maxTokenLimit', options.maxTokenLimit ?? 2000, 0)
    this.retentionRatio = checkRatio('retentionRatio', options.retentionRatio ?? 1)
    this.returnMessages = checkFlag('returnMessages', options.returnMessages ?? false)
    this.encoding = resolveEncoding(options)
    this.framing = textFraming({
      ...(humanPrefix === undefined ? {} : { humanPrefix }),
      ...(aiPrefix === undefined ? {} : { aiPrefix }),
    })
    this.humanPrefix = this.framing.humanPrefix
    this.aiPrefix = this.framing.aiPrefix
    this.conversation = store.conversation({
      userId,
      conversationId,
      encoding: this.encoding,
      framing: this.framing,
    })
  }

  /** The keys that `loadMemoryVariables` returns. */
  get memoryKeys(): string[] {
    return [this.memoryKey]
  }

  /**
   * The history under the memory key: `{ history: 'Human: hi\nAI: whats up' }`, or messages with `returnMessages`. One
   * statement; nothing is counted. The values that a chain passes in are not looked at.
   */
  async loadMemoryVariables(
    _values?: Readonly<Record<string, unknown>>,
    options?: CallOptions,
  ): Promise<Record<string, string | Message[]>> {
    const { signal } = checkOptions('loadMemoryVariables', options)
    const { messages } = await this.loadWindow({ signal })
    return { [this.memoryKey]: this.render(messages) }
  }

  /**
   * The window that the history is made of; under `maxTokens` where that is less than the memory's own limit.
   *
   * @throws {InvalidLimitError} for a limit out of range, NaN included.
   */
  async loadWindow(options?: MemoryWindowOptions): Promise<Window> {
    const { maxTokens = this.maxTokenLimit, signal } = checkOptions('loadWindow', options)
    return this.conversation.loadWindow({
      maxTokens: Math.min(checkWhole('maxTokens', maxTokens, 0), this.maxTokenLimit),
      retentionRatio: this.retentionRatio,
      signal,
    })
  }

  /** Messages as this memory gives them: as they are with `returnMessages`, else as one string. */
  render(messages: Message[]): string | Message[] {
    return this.returnMessages ? messages : renderText(messages, this.framing)
  }

  /**
   * Stores what the person said and what was answered as one turn.
   *
   * @throws {UnresolvedKeyError} when either cannot be told from the values; nothing is written then.
   */
  async saveContext(
    inputs: Readonly<Record<string, unknown>>,
    outputs: Readonly<Record<string, unknown>>,
    options?: SaveContextOptions,
  ): Promise<void> {
    const { idempotencyKey, signal } = checkOptions('saveContext', options)
    const input = resolveInput(inputs, this.inputKey, this.memoryKey)
    const output = resolveOutput(outputs, this.outputKey)
    await this.conversation.append(
      [
        { role: 'user', content: input },
        { role: 'assistant', content: output },
      ],
      { idempotencyKey, signal },
    )
  }

  /** Drops all turns of the conversation. */
  async clear(options?: CallOptions): Promise<void> {
    await this.conversation.clear(options)
  }
}

function checkKey(name: string, key: unknown): string {
  if (typeof key === 'string' && key !== '') return key
  throw new InvalidArgumentError(`${name} must be a non-empty string; got ${kindOf(key)}.`)
}

function resolveEncoding({ encoding, model }: ConversationTokenBufferMemoryOptions): EncodingName {
  if (model === undefined) return checkEncoding(encoding ?? DEFAULT_ENCODING)
  if (encoding === undefined) return encodingForModel(model)
  throw new InvalidArgumentError('Give the memory an encoding or a model, not both.')
}
