import { kindOf } from '../redact.ts'
import { InvalidArgumentError } from '../errors.ts'
import { inTime } from '../in-time.ts'
import { toJson } from '../memory/keys.ts'
import type { ToolCall, ToolMessage } from '../types.ts'

/** A tool that the model may call, in OpenAI chat form, whichever `api` the chain speaks. */
export type Tool =
  | {
      readonly type: 'function'
      readonly function: {
        readonly name: string
        readonly description?: string | undefined
        /** A JSON schema of the arguments. */
        readonly parameters?: Readonly<Record<string, unknown>> | undefined
        readonly strict?: boolean | null | undefined
      }
    }
  | {
      readonly type: 'custom'
      readonly custom: {
        readonly name: string
        readonly description?: string | undefined
        readonly format?: object | undefined
      }
    }

/**
 * Does what the model calls for. A string is given to the model as it is, nothing as an empty text, anything else as JSON text; to let the model
 * know of a failure, return a text that says so. What it throws ends the call, and nothing is saved.
 */
export type RunTool = (call: ToolCall, options: { readonly signal: AbortSignal | undefined }) => unknown

/** Runs the calls of one reply, all at once, and gives their results in the order of the calls. An abort does not wait for them. */
export async function runTools(
  calls: readonly ToolCall[],
  runTool: RunTool,
  signal: AbortSignal | undefined,
): Promise<ToolMessage[]> {
  signal?.throwIfAborted()
  const results = calls.map(async (call) => ({
    role: 'tool' as const,
    tool_call_id: call.id,
    content: toText(await runTool(call, { signal })),
  }))
  return inTime(Promise.all(results), undefined, signal)
}

function toText(result: unknown): string {
  if (result === undefined) return ''
  const text = typeof result === 'string' ? result : toJson(result)
  if (text !== undefined) return text
  throw new InvalidArgumentError(
    `runTool must return a string, or what JSON can hold; got ${kindOf(result)}.`,
  )
}
