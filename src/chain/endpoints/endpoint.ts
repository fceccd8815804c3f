import type { CountPart } from '../../tokens/count.ts'
import type { Encoder } from '../../tokens/encoder.ts'
import type { Steps } from '../../tokens/steps.ts'
import type { Message, ToolMessage } from '../../types.ts'
import type { ClientEndpoint, OpenAIClient } from '../client.ts'
import type { Reply } from '../reply.ts'
import type { Tool } from '../tools.ts'

/** A reply that called tools, and what they gave back. */
export interface Round {
  readonly reply: Reply
  readonly results: readonly ToolMessage[]
}

/** The messages of some rounds, in order. */
export function exchangeOf(rounds: readonly Round[]): Message[] {
  return rounds.flatMap(({ reply, results }) => [reply.message(), ...results])
}

/** What a model is asked, whichever endpoint it is asked through. */
export interface ModelRequest {
  readonly model: string
  /** System message, history and input, as messages; or system message and the prompt that holds both. */
  readonly opening: readonly Message[]
  /** What has happened in this turn so far. */
  readonly rounds: readonly Round[]
  readonly tools: readonly Tool[]
  readonly maxOutputTokens: number | undefined
  /** Further fields, of the caller's. */
  readonly params: Readonly<Record<string, unknown>>
}

/** One of OpenAI's three ways to ask a model: how it is asked, and how its answers are read. */
export interface Endpoint {
  of(client: OpenAIClient): ClientEndpoint | undefined
  body(request: ModelRequest): Record<string, unknown>
  /** Tokens of a request. */
  count(request: ModelRequest, encoder: Encoder, countPart: CountPart | undefined): Steps<number>
  /** Takes a whole answer over into the reply. */
  readWhole(reply: Reply, answer: unknown): void
  /** Takes a piece of a streamed answer over into the reply; returns the text in it that is to be shown. */
  readPiece(reply: Reply, piece: unknown): string
}
