import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import {
  IdempotencyConflictError,
  IncompleteReplyError,
  PartialReplyError,
  SaveFailedError,
  ToolLoopError,
} from '../errors.ts'
import { reduceCause } from '../redact.ts'
import { contentText } from '../tokens/render.ts'
import type { Message, Metadata, StoredTurn, UserMessage } from '../types.ts'
import { ask, isCutOff } from './ask.ts'
import { exchangeOf, type Round } from './endpoints/endpoint.ts'
import type { ChainSettings } from './options.ts'
import { Reply } from './reply.ts'
import { Requests } from './requests.ts'
import { runTools } from './tools.ts'

/** What a turn begins with. */
export interface TurnCall {
  readonly input: string
  readonly idempotencyKey: string | undefined
  readonly signal: AbortSignal | undefined
  /** True yields the replies in pieces as they come, false each one whole. */
  readonly streaming: boolean
}

/** Why a stream did not come to its end: the caller stopped reading, aborted, the model failed, or gave no finish reason. */
type PartialReason = 'stopped' | 'aborted' | 'failed' | 'unfinished'

/** One turn: the model is asked, its tools run until it answers, and the whole exchange is stored once, when it is complete. */
export class Turn {
  readonly #settings: ChainSettings
  readonly #call: TurnCall
  readonly #input: UserMessage
  readonly #requests: Requests
  readonly #start = performance.now()
  readonly #rounds: Round[] = []
  #reply = new Reply()
  #isReplayed = false

  constructor(settings: ChainSettings, call: TurnCall) {
    this.#settings = settings
    this.#call = call
    this.#input = { role: 'user', content: call.input }
    this.#requests = new Requests(settings, call.input, call.signal)
  }

  /**
   * Yields the texts of the replies, and gives the last one. A turn that is stored under the key already is given as it
   * is; no model is asked.
   */
  async *take(): AsyncGenerator<string, string> {
    const { conversation } = this.#settings.memory
    // Before anything is paid for: what could not be stored with the best of replies.
    conversation.check([this.#input])
    const stored = await this.#findStored()
    if (stored) {
      this.#isReplayed = true
      const reply = replyOf(stored)
      if (reply !== '') yield reply
      return reply
    }
    await this.#requests.loadHistory()
    let unfinished: PartialReason | undefined = 'stopped'
    try {
      yield* this.#converse()
      unfinished = undefined
    } catch (error) {
      if (this.#call.signal?.aborted) unfinished = 'aborted'
      else unfinished = error instanceof IncompleteReplyError ? 'unfinished' : 'failed'
      throw error
    } finally {
      if (unfinished !== undefined) await this.#keepPartial(unfinished)
    }
    return replyOf(await this.#save())
  }

  /** What the model was given, as the memory gives it; of a turn that was not asked for, what it would be given now. */
  async history(): Promise<string | Message[]> {
    if (!this.#isReplayed) return this.#requests.history
    const { memory } = this.#settings
    return memory.render((await memory.loadWindow({ signal: this.#call.signal })).messages)
  }

  async *#converse(): AsyncGenerator<string, void> {
    const { maxToolRounds, runTool } = this.#settings
    for (;;) {
      yield* this.#ask()
      const { toolCalls } = this.#reply
      if (toolCalls.length === 0) return
      if (!runTool) throw new IncompleteReplyError('The model called a tool, and it was given none.')
      if (this.#rounds.length === maxToolRounds) {
        throw new ToolLoopError(
          `The model called tools ${maxToolRounds} times in a turn and has not answered.`,
        )
      }
      const results = await runTools(toolCalls, runTool, this.#call.signal)
      this.#rounds.push({ reply: this.#reply, results })
      this.#reply = new Reply()
    }
  }

  async *#ask(): AsyncGenerator<string, void> {
    const { listener } = this.#settings
    const round = this.#rounds.length + 1
    const { request, tokens } = await this.#requests.next(this.#rounds)
    await listener?.({ type: 'prompt', round, prompt: this.#requests.asText(request), tokens })
    const start = performance.now()
    yield* ask(this.#settings, request, this.#reply, this.#call)
    const { shown: reply, toolCalls, finishReason, usage } = this.#reply
    const durationMs = performance.now() - start
    await listener?.({ type: 'reply', round, reply, toolCalls, finishReason, usage, durationMs })
  }

  /**
   * @throws {IdempotencyConflictError} when the key stands for a turn with another input.
   * @throws {PartialReplyError} when it stands for a turn whose reply broke off, which is no answer.
   */
  async #findStored(): Promise<StoredTurn | undefined> {
    const { idempotencyKey, signal } = this.#call
    if (idempotencyKey === undefined) return undefined
    const turn = await this.#settings.memory.conversation.findTurn(idempotencyKey, { signal })
    if (!turn) return undefined
    if (isPartial(turn)) {
      throw new PartialReplyError(
        `What is stored under the idempotency key is a part of a reply, at position ${turn.position}. To ask again under ` +
          `it, drop that turn first: rewind({ to: ${turn.position - 1} }).`,
      )
    }
    if (this.#isSameInput(turn)) return turn
    throw new IdempotencyConflictError(
      `The idempotency key stands for the turn at position ${turn.position}, whose input is another. ` +
        'The model was not asked. Use a new key for a new input.',
    )
  }

  #isSameInput({ messages }: StoredTurn): boolean {
    return isDeepStrictEqual(messages[0], this.#input)
  }

  /** The signal plays no part any more: a reply that is complete is kept. */
  async #save(): Promise<StoredTurn> {
    const messages = [this.#input, ...exchangeOf(this.#rounds), this.#reply.message()]
    const { finishReason } = this.#reply
    const turn = await this.#append(messages, isCutOff(this.#reply) ? { finishReason } : undefined)
    await this.#settings.listener?.({ type: 'saved', turn, durationMs: performance.now() - this.#start })
    return turn
  }

  async #keepPartial(reason: PartialReason): Promise<void> {
    if (!this.#settings.keepPartial || !this.#call.streaming) return
    const came = exchangeOf(this.#rounds)
    // Calls of tools that have no results would make the history one that models refuse.
    if (this.#reply.shown !== '') came.push(this.#reply.message({ toolCalls: [] }))
    if (came.length > 0) await this.#append([this.#input, ...came], { partial: true, reason })
  }

  async #append(messages: Message[], metadata: Metadata | undefined): Promise<StoredTurn> {
    const { conversation } = this.#settings.memory
    // A key in any case: an append whose answer got lost can then be made again.
    const { idempotencyKey = randomUUID() } = this.#call
    try {
      return await conversation.append(messages, { idempotencyKey, metadata })
    } catch (error) {
      const stored = error instanceof IdempotencyConflictError && (await this.#overtakenBy(idempotencyKey))
      if (stored) return stored
      throw new SaveFailedError(unsaved(error, metadata), {
        cause: error,
        turn: { reply: this.#reply.shown, messages, idempotencyKey, metadata },
      })
    }
  }

  /**
   * The turn of the same call that was made twice at once and was faster there: it is the one that counts. None where
   * another reply has been shown already, or where it cannot be found: what is in hand then goes into the error.
   */
  async #overtakenBy(idempotencyKey: string): Promise<StoredTurn | undefined> {
    if (this.#call.streaming) return undefined
    const { conversation } = this.#settings.memory
    const stored = await conversation.findTurn(idempotencyKey).catch(() => undefined)
    return stored && !isPartial(stored) && this.#isSameInput(stored) ? stored : undefined
  }
}

/** Whether a turn is what came of a stream that did not come to its end. */
function isPartial({ metadata }: StoredTurn): boolean {
  return metadata?.['partial'] === true
}

function unsaved(error: unknown, metadata: Metadata | undefined): string {
  const what = metadata?.['partial'] === true ? 'A part of a reply came' : 'The model answered'
  if (error instanceof IdempotencyConflictError) {
    return (
      `${what}, but another turn was stored under the same key meanwhile: findTurn(key) gives it. The error holds ` +
      'this one, which can only be saved under another key.'
    )
  }
  return `${what}, and the turn could not be saved (${reduceCause(error).code}). The error holds it.`
}

/** The text of a stored turn's answer: of its last message from the assistant. */
function replyOf({ messages }: StoredTurn): string {
  const answer = messages.findLast(({ role }) => role === 'assistant')
  return answer ? contentText(answer) : ''
}
