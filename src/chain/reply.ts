import type { AssistantMessage, ToolCall } from '../types.ts'

/** Tokens of a request and its reply, as the model's server counted them. */
export interface Usage {
  readonly inputTokens: number
  readonly outputTokens: number
}

/** A reply while it comes in; each endpoint fills it in its own way. */
export class Reply {
  text = ''
  refusal = ''
  /** Whole once {@link finishReason} is there. */
  readonly toolCalls: ToolCall[] = []
  /** Those that come in by pieces, by the index that the pieces name. */
  readonly callAt = new Map<number, ToolCall>()
  /** Why the model ended, in the server's words; undefined as long as it has not. */
  finishReason: string | undefined
  usage: Usage | undefined
  /** What the endpoint wants to see again in the next request of the same turn, in place of the message. */
  items: unknown[] = []
  /** Tokens of those items that their texts do not show. */
  hiddenTokens = 0

  /** What a person reads: the answer, the model's refusal to give one, or an answer that went over into one. */
  get shown(): string {
    return this.text + this.refusal
  }

  /**
   * The reply as a message, with the calls of tools unless they are left out. A refusal within an answer is a part of its
   * text: as a field beside it, it would be sent again with each request and neither rendered nor counted.
   */
  message({ toolCalls = this.toolCalls }: { toolCalls?: ToolCall[] } = {}): AssistantMessage {
    const refused = this.text === '' && this.refusal !== ''
    return {
      role: 'assistant',
      content: refused || (this.text === '' && toolCalls.length > 0) ? null : this.shown,
      ...(refused ? { refusal: this.refusal } : {}),
      ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls }),
    }
  }
}
