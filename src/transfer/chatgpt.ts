import { BadRecordError, type Place } from './bad-record.ts'
import { toMessages } from './chatgpt-messages.ts'
import { pathOf } from './chatgpt-path.ts'
import { isoTime } from './chatgpt-time.ts'
import { isObject, optionalString, type JsonObject } from './json.ts'
import type { Recorded } from './recorded.ts'
import { numberedTurns } from './turns.ts'

/**
 * A conversation of ChatGPT's exported `conversations.json`: the branch that its user saw last. No schema of the format
 * is published; this follows what exports up to 2026 hold.
 */
export function readChatGpt(record: JsonObject, place: Place): Recorded {
  const { mapping, current_node: currentNode, title } = record
  if (!isObject(mapping)) throw new BadRecordError(place, 'mapping must be an object.')
  const path = pathOf(mapping, currentNode)
  if (path === undefined) throw new BadRecordError(place, 'its messages follow each other in a circle.')
  const { messages, times, leftOut } = toMessages(path)
  const createdAt = isoTime(record['create_time'])
  return {
    userId: undefined,
    conversationId: optionalString(record, 'conversation_id', place) ?? optionalString(record, 'id', place),
    metadata: {
      ...(typeof title === 'string' ? { title } : {}),
      ...(createdAt === undefined ? {} : { created_at: createdAt }),
      source: 'chatgpt',
    },
    turns: numberedTurns(messages, times),
    numberedBy: 'order',
    leftOut,
  }
}
