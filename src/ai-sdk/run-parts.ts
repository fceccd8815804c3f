import type { ModelMessage } from 'ai'
import { inTurns } from './in-turns.ts'

/** A run's messages by what may be left out of them. */
export interface RunParts {
  /** What the system says, the newest user message, and the newest step after it. */
  readonly always: readonly ModelMessage[]
  /** The older turns and, after them, the older steps of the newest turn: each stays or goes whole. */
  readonly droppable: readonly (readonly ModelMessage[])[]
}

/** Takes a run's messages apart. */
export function partsOf(messages: readonly ModelMessage[]): RunParts {
  const system = messages.filter(({ role }) => role === 'system')
  const said = messages.filter(({ role }) => role !== 'system')
  const newest = said.findLastIndex(({ role }) => role === 'user')
  const question = newest < 0 ? [] : [said[newest]!]
  const steps = inSteps(said.slice(newest + 1))
  return {
    always: [...system, ...question, ...(steps.at(-1) ?? [])],
    droppable: [...inTurns(said.slice(0, Math.max(0, newest))), ...steps.slice(0, -1)],
  }
}

/** A step ends where each of its calls has its result: one of a provider's own tools may come with a later answer. */
function inSteps(messages: readonly ModelMessage[]): ModelMessage[][] {
  const steps: ModelMessage[][] = []
  const open = new Set<string>()
  for (const message of messages) {
    const joins = message.role === 'tool' || open.size > 0
    if (joins && steps.length > 0) steps.at(-1)!.push(message)
    else steps.push([message])
    if (typeof message.content === 'string') continue
    for (const part of message.content) {
      if (part.type === 'tool-call') open.add(part.toolCallId)
      if (part.type === 'tool-result') open.delete(part.toolCallId)
    }
  }
  return steps
}
