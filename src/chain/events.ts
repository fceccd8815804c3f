import { styleText } from 'node:util'
import type { StoredTurn, ToolCall } from '../types.ts'
import type { Usage } from './reply.ts'

/** The model is about to be asked. */
export interface PromptEvent {
  readonly type: 'prompt'
  /** Which request of the turn it is: 1, and one more for each time that tools were called. */
  readonly round: number
  /** What is sent, as text: the prompt, or a line a message. */
  readonly prompt: string
  /** Tokens of the request, tools included, in the model's encoding; in the memory's for a model that is not known. */
  readonly tokens: number
}

/** The model has answered. */
export interface ReplyEvent {
  readonly type: 'reply'
  readonly round: number
  readonly reply: string
  readonly toolCalls: readonly ToolCall[]
  /** In the server's words: `stop`, `length`, `tool_calls`, … */
  readonly finishReason: string | undefined
  /** As the server counted, where it told. For streams of chat completions, ask: `params: { stream_options: { include_usage: true } }`. */
  readonly usage: Usage | undefined
  /** From the request to the last piece of the reply. */
  readonly durationMs: number
}

/** The turn is stored. Of one that had been stored under the same key before, nothing is told: no model is asked. */
export interface SavedEvent {
  readonly type: 'saved'
  readonly turn: StoredTurn
  readonly durationMs: number
}

/** What a `verbose` function is told. */
export type ChainEvent = PromptEvent | ReplyEvent | SavedEvent

/** Is told what a chain does, while it does it, and waited for. What it throws ends the call. */
export type ChainListener = (event: ChainEvent) => unknown

/** Prints what LangChain's StdOut handler prints of a chain; in colours on a terminal only. */
export function printAsLangChain(event: ChainEvent): void {
  if (event.type === 'saved') console.log(`\n${styleText('bold', '> Finished chain.')}`)
  if (event.type !== 'prompt' || event.round > 1) return
  console.log(`\n\n${styleText('bold', '> Entering new ConversationChain chain...')}`)
  // One in the other: given a list of formats, Node 20 does not look whether this is a terminal.
  console.log(`Prompt after formatting:\n${styleText('bold', styleText('green', event.prompt))}`)
}
