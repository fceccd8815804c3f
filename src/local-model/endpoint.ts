import type { Message } from '../types.ts'
import type { Answer, Question } from './model.ts'

/** An answer, and what every endpoint says beside it. */
export interface Reply {
  /** Unique; an endpoint sets its own prefix before it. */
  readonly id: string
  /** Seconds since 1970. */
  readonly createdAt: number
  readonly model: string
  /** The request that is answered. */
  readonly body: Question['body']
  readonly answer: Answer
}

/** One server-sent event. */
export interface StreamEvent {
  /** Its name, where the endpoint names its events. */
  readonly event?: string
  /** Sent as JSON; a string as it is. */
  readonly data: object | '[DONE]'
}

/** How one address speaks: what it is asked, and what an answer looks like there. */
export interface Endpoint {
  readonly api: Question['api']
  /**
   * The messages of a request.
   *
   * @throws {RequestError} when there are none, or when they are not of the endpoint's form.
   */
  messagesOf(body: Question['body']): Message[]
  /** The answer in one body. */
  whole(reply: Reply): object
  /** The same answer as a stream. */
  events(reply: Reply): Iterable<StreamEvent>
}

/** Why an answer ended, as chat completions name it. */
export function finishReasonOf({ finishReason, toolCalls = [] }: Answer): string {
  return finishReason ?? (toolCalls.length > 0 ? 'tool_calls' : 'stop')
}

/** The tokens of a request and its answer, as chat and text completions report them. */
export function usageOf({ usage }: Answer) {
  if (usage === undefined) return undefined
  const { inputTokens, outputTokens } = usage
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
  }
}

/** Whether a request asks for the tokens at the end of its stream. */
export function wantsUsage({ stream_options: options }: Question['body']): boolean {
  return isRecord(options) && options['include_usage'] === true
}

/** Whether a value is an object with fields. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
