import type { Message } from '../types.ts'

/**
 * The messages without results of tools whose call is not before them. A person may say something while a tool runs, which
 * opens a turn: the result joins that, and a window that begins with it has lost the call. No model takes such a result.
 */
export function withoutOrphans(messages: readonly Message[]): Message[] {
  const calls = new Set<string>()
  return messages.filter((message) => {
    if (message.role === 'assistant') for (const { id } of message.tool_calls ?? []) calls.add(id)
    return message.role !== 'tool' || calls.has(message.tool_call_id)
  })
}
