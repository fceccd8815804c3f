import type { ToolCall } from '../../types.ts'
import type { Reply } from '../reply.ts'

/** A choice of a completion, whole or a piece of one, as far as it is read. Compatible servers leave out what they like. */
export interface Choice {
  readonly finish_reason?: string | null
  /** Of completions, whole and in pieces. */
  readonly text?: string | null
  /** Of chat completions, whole. */
  readonly message?: Spoken & { readonly tool_calls?: ToolCall[] | null }
  /** Of chat completions, in pieces. */
  readonly delta?: Spoken & { readonly tool_calls?: readonly CallPiece[] | null }
}

interface Spoken {
  readonly content?: string | null
  readonly refusal?: string | null
}

/** A piece of a tool call. */
export interface CallPiece {
  readonly index?: number | null
  readonly id?: string | null
  readonly type?: string | null
  readonly function?: { readonly name?: string | null; readonly arguments?: string | null } | null
  readonly custom?: { readonly name?: string | null; readonly input?: string | null } | null
}

interface Completion {
  readonly choices?: readonly Choice[] | null
  readonly usage?: { readonly prompt_tokens?: number; readonly completion_tokens?: number } | null
}

/** Takes over what both forms of a completion say alike; gives the first choice. The piece that tells the usage has none. */
export function readChoice(reply: Reply, answer: unknown): Choice | undefined {
  const { choices, usage } = Object(answer) as Completion
  if (usage)
    reply.usage = { inputTokens: usage.prompt_tokens ?? 0, outputTokens: usage.completion_tokens ?? 0 }
  const [choice] = choices ?? []
  // Some servers say '' as long as there is none.
  reply.finishReason ??= choice?.finish_reason || undefined
  return choice
}

/** The same of a whole answer, which has come to its end even where its server does not say why. */
export function readOnlyChoice(reply: Reply, answer: unknown): Choice | undefined {
  const choice = readChoice(reply, answer)
  if (choice) reply.finishReason ??= 'stop'
  return choice
}
