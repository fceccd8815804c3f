import type { Message, ToolCall } from '../types.ts'

/** What a model is asked. */
export interface Question {
  /** The endpoint that was called. */
  readonly api: 'chat' | 'responses' | 'completions'
  /** What was sent, in OpenAI chat form whichever endpoint it came by: a completion's prompt is one user message. */
  readonly messages: readonly Message[]
  /** The request as it came. */
  readonly body: Readonly<Record<string, unknown>>
  /** Aborts when the client has gone before the answer ended. */
  readonly signal: AbortSignal
}

/** What it answers. A completion carries the text alone. */
export interface Answer {
  /** The whole text; a stream gives it word by word. */
  readonly content?: string
  readonly refusal?: string
  readonly toolCalls?: readonly ToolCall[]
  /** As chat completions name it. Default `stop`, or `tool_calls` where there are calls. */
  readonly finishReason?: string
  /** Reported to the client when given; nothing is counted here. */
  readonly usage?: { readonly inputTokens: number; readonly outputTokens: number }
}

/** A program that answers. */
export type Model = (question: Question) => Answer | Promise<Answer>
