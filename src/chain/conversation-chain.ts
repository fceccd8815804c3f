import { resolveInput } from '../memory/keys.ts'
import type { ConversationTokenBufferMemory } from '../memory/token-buffer-memory.ts'
import { checkIdempotencyKey, checkOptions } from '../store/arguments.ts'
import {
  checkChainOptions,
  type Api,
  type ChainCallOptions,
  type ChainSettings,
  type ConversationChainOptions,
} from './options.ts'
import type { Turn, TurnCall } from './turn.ts'

/** What {@link ConversationChain.invoke} gives: the values it was given, the history under the memory's key, the reply. */
export interface ChainValues {
  readonly response: string
  readonly [key: string]: unknown
}

/**
 * A conversation with a model: each call loads the history that fits, asks the model, and stores what was said as one
 * turn. What LangChain's class of the same name promises, on a memory that keeps its limit.
 *
 * It holds no state of the conversation: any number of chains, in any number of processes, may go on with the same one.
 * When the model fails or a call is aborted nothing is stored, and the error comes through as it is.
 */
export class ConversationChain {
  readonly memory: ConversationTokenBufferMemory
  readonly model: string
  readonly api: Api
  readonly #settings: ChainSettings

  /** @throws {InvalidArgumentError} for an option that is missing, out of range, or of no use with another. */
  constructor(options: ConversationChainOptions) {
    this.#settings = checkChainOptions(options)
    this.memory = this.#settings.memory
    this.model = this.#settings.model
    this.api = this.#settings.api
  }

  /**
   * The model's reply to what the person said. A statement to load, a request to the model, a statement to store; with an
   * `idempotencyKey` a statement more, and for each round of tools a request more.
   *
   * Of the values only the input is looked at: a signal goes into the options.
   *
   * @throws {UnresolvedKeyError} when the input cannot be told from the values; the memory's `inputKey` names it.
   * @throws {ContextWindowExceededError} when the input does not fit, before the model is asked.
   * @throws {ModelTimeoutError} | {IncompleteReplyError} | {ToolLoopError} | the client's own errors; nothing is stored.
   * @throws {IdempotencyConflictError} | {PartialReplyError} when the key stands for another input, or for a part of a reply.
   * @throws {SaveFailedError} when the model answered and the turn could not be stored: it holds the reply.
   */
  async predict(values: Readonly<Record<string, unknown>>, options?: ChainCallOptions): Promise<string> {
    const turn = await beginTurn(this.#settings, this.#call('predict', values, options))
    return lastOf(turn.take())
  }

  /** The same as {@link predict}, with what led to it: `{ input, history, response }`. */
  async invoke(values: Readonly<Record<string, unknown>>, options?: ChainCallOptions): Promise<ChainValues> {
    const turn = await beginTurn(this.#settings, this.#call('invoke', values, options))
    const response = await lastOf(turn.take())
    return { ...values, [this.memory.memoryKey]: await turn.history(), response }
  }

  /**
   * The same as {@link predict}, in pieces of text as they arrive, those between calls of tools included. The turn is
   * stored when the reply is complete, before the last step of the loop; whoever stops reading earlier stops the model,
   * and nothing is stored unless `keepPartial` is set.
   */
  stream(
    values: Readonly<Record<string, unknown>>,
    options?: ChainCallOptions,
  ): AsyncGenerator<string, void> {
    return pieces(this.#settings, this.#call('stream', values, options, { streaming: true }))
  }

  #call(
    method: string,
    values: Readonly<Record<string, unknown>>,
    options: ChainCallOptions | undefined,
    { streaming = false } = {},
  ): TurnCall {
    const { idempotencyKey, signal } = checkOptions(method, options)
    return {
      input: resolveInput(values, this.memory.inputKey, this.memory.memoryKey),
      idempotencyKey: idempotencyKey === undefined ? undefined : checkIdempotencyKey(idempotencyKey),
      signal,
      streaming,
    }
  }
}

/** What a turn gives at its end. */
async function lastOf<T>(turn: AsyncGenerator<string, T>): Promise<T> {
  for (;;) {
    const step = await turn.next()
    if (step.done) return step.value
  }
}

/** A turn without what it gives at its end. */
async function* pieces(settings: ChainSettings, call: TurnCall): AsyncGenerator<string, void> {
  yield* (await beginTurn(settings, call)).take()
}

/** What asks, counts and runs tools is loaded with the first turn: a quarter of the library's modules. */
async function beginTurn(settings: ChainSettings, call: TurnCall): Promise<Turn> {
  const { Turn } = await import('./turn.ts')
  return new Turn(settings, call)
}
