import type { Message } from '../index.ts'
import { isObject } from './json.ts'
import type { RecordedTurn } from './recorded.ts'

/** A conversation's messages as turns, numbered from 1; a turn was written when its first message was that has a time. */
export function numberedTurns(
  messages: readonly Message[],
  times: ReadonlyMap<Message, string>,
): RecordedTurn[] {
  return splitIntoTurns(messages).map((turn, index) => {
    const first = turn.find((message) => times.has(message))
    return { number: index + 1, messages: turn, metadata: first && { created_at: times.get(first) } }
  })
}

/**
 * A conversation's messages as turns. A turn begins at each message of the user, but never between a call of a tool and
 * its result, which a model refuses to see apart. What stands before the first message of the user belongs to the first
 * turn.
 */
export function splitIntoTurns(messages: readonly Message[]): Message[][] {
  const answeredAt = lastResults(messages)
  const turns: Message[][] = []
  let hasUser = false
  let openUntil = -1
  for (const [index, message] of messages.entries()) {
    const isUser = message?.role === 'user'
    const current = turns.at(-1)
    if (current === undefined || (isUser && hasUser && index > openUntil)) turns.push([message])
    else current.push(message)
    hasUser ||= isUser
    openUntil = Math.max(openUntil, answeredAt.get(index) ?? -1)
  }
  return turns
}

/** For each message that calls tools, by index, the index of the last result of its calls. */
function lastResults(messages: readonly Message[]): Map<number, number> {
  const results = new Map<number, number>()
  // The ids of the calls may come again in later turns: a result belongs to the newest call before it.
  const calls = new Map<unknown, number>()
  for (const [index, message] of messages.entries()) {
    if (message?.role === 'assistant') {
      for (const id of callIds(message.tool_calls)) calls.set(id, index)
    } else if (message?.role === 'tool') {
      const call = calls.get(message.tool_call_id)
      if (call !== undefined) results.set(call, index)
    }
  }
  return results
}

/** The messages have not been checked yet. */
function callIds(calls: unknown): unknown[] {
  return Array.isArray(calls) ? calls.filter(isObject).map(({ id }) => id) : []
}
