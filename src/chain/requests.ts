import { ContextWindowExceededError } from '../errors.ts'
import { countTurn } from '../tokens/count.ts'
import { loadEncoder } from '../tokens/encoder.ts'
import { withoutOrphans } from '../store/orphans.ts'
import { contentText, renderText } from '../tokens/render.ts'
import { inSlices } from '../tokens/steps.ts'
import type { Message, StoredTurn } from '../types.ts'
import { CHAT_FRAMING } from './cost.ts'
import { exchangeOf, type ModelRequest, type Round } from './endpoints/endpoint.ts'
import type { ChainSettings } from './options.ts'
import { toPlainMessage } from './plain-message.ts'

/** The requests of one turn: the first, and one more each time that tools were called. */
export class Requests {
  readonly #settings: ChainSettings
  readonly #input: string
  readonly #signal: AbortSignal | undefined
  /** The history that the next request carries, oldest first. */
  #turns: readonly StoredTurn[] = []
  /** The history that the first request carried. */
  #given: readonly StoredTurn[] = []

  constructor(settings: ChainSettings, input: string, signal: AbortSignal | undefined) {
    this.#settings = settings
    this.#input = input
    this.#signal = signal
  }

  /**
   * Loads the history: one statement. With a `contextWindow` its limit is what the rest of the request leaves.
   *
   * @throws {ContextWindowExceededError} when the rest alone leaves nothing for the reply.
   */
  async loadHistory(): Promise<void> {
    const { memory, encoding, maxRequestTokens } = this.#settings
    const signal = this.#signal
    const room =
      maxRequestTokens === undefined
        ? undefined
        : maxRequestTokens - this.#checkFits(await this.#count(this.#build([])))
    // Tokens of one encoding are no limit in another: where the memory has its own, what is too much is left out later.
    const maxTokens = encoding === memory.encoding ? room : undefined
    this.#turns = (await memory.loadWindow({ maxTokens, signal })).turns
  }

  /** The history of the turn's first request, as the memory gives it. */
  get history(): string | Message[] {
    return this.#settings.memory.render(this.#given.flatMap((turn) => turn.messages))
  }

  /**
   * The next request, after these rounds, and its tokens, where somebody wants to know. The history is the one that was
   * loaded; where the turn has grown so long that it does not fit any more, its oldest turns are left out.
   *
   * @throws {ContextWindowExceededError} when the rest alone leaves nothing for the reply.
   */
  async next(rounds: readonly Round[]): Promise<{ request: ModelRequest; tokens: number }> {
    const { maxRequestTokens, countsRequests } = this.#settings
    for (;;) {
      const request = this.#build(rounds)
      const isToCount = maxRequestTokens !== undefined || countsRequests
      const tokens = isToCount ? await this.#count(request) : 0
      const excess = tokens - (maxRequestTokens ?? Infinity)
      if (excess <= 0) {
        if (rounds.length === 0) this.#given = this.#turns
        return { request, tokens }
      }
      if (this.#turns.length === 0) this.#checkFits(tokens)
      await this.#leaveOut(excess)
    }
  }

  /** A request as text: its prompt, or a line a message; then what has happened in the turn so far. */
  asText({ opening, rounds }: ModelRequest): string {
    const { template, memory } = this.#settings
    const prompt = template ? opening.map(contentText).join('\n\n') : renderText(opening, memory.framing)
    return rounds.length === 0 ? prompt : `${prompt}\n${renderText(exchangeOf(rounds), memory.framing)}`
  }

  #build(rounds: readonly Round[]): ModelRequest {
    const { model, system, template, tools, maxOutputTokens, params } = this.#settings
    const history = this.#turns.flatMap((turn) => turn.messages)
    const input = (content: string): Message => ({ role: 'user', content })
    const said = template
      ? [input(template.fill(this.#settings.memory.render(history) as string, this.#input))]
      : [...withoutOrphans(history).map(toPlainMessage), input(this.#input)]
    const opening: Message[] = system === undefined ? said : [{ role: 'system', content: system }, ...said]
    return { model, opening, rounds, tools, maxOutputTokens, params }
  }

  async #count(request: ModelRequest): Promise<number> {
    const { encoding, endpoint, countPart } = this.#settings
    const encoder = await loadEncoder(encoding)
    return inSlices(endpoint.count(request, encoder, countPart), this.#signal)
  }

  #checkFits(tokens: number): number {
    const { maxRequestTokens = tokens } = this.#settings
    if (tokens <= maxRequestTokens) return tokens
    throw new ContextWindowExceededError(
      `Without any history the request has ${tokens} tokens, and contextWindow less maxOutputTokens leaves ` +
        `${maxRequestTokens}. It was not sent.`,
    )
  }

  /** Leaves out the oldest turns until these tokens are saved, each counted as the request renders it. */
  async #leaveOut(excess: number): Promise<void> {
    const { memory, encoding, template, countPart } = this.#settings
    const counting = { encoding, framing: template ? memory.framing : CHAT_FRAMING, countPart }
    const encoder = await loadEncoder(encoding)
    let oldest = 0
    for (let saved = 0; saved < excess && oldest < this.#turns.length; oldest++) {
      const { messages } = this.#turns[oldest]!
      saved += (await inSlices(countTurn(messages, encoder, counting), this.#signal)).tokenCount
    }
    this.#turns = this.#turns.slice(oldest)
  }
}
