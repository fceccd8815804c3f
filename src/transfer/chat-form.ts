import type { Message } from '../index.ts'
import { BadRecordError, type Place } from './bad-record.ts'
import { messagesOf, optionalObject, optionalString, type JsonObject } from './json.ts'
import type { Recorded } from './recorded.ts'
import { numberedTurns } from './turns.ts'

/**
 * A whole conversation in OpenAI chat form, as fine-tuning files and recordings have it: `{ "messages": […] }`. What a
 * database knows besides stands in `times`, one for each message, and `conversation_metadata`.
 */
export function readChatForm(record: JsonObject, place: Place): Recorded {
  const messages = messagesOf(record, place)
  return {
    userId: optionalString(record, 'user_id', place),
    conversationId: optionalString(record, 'conversation_id', place),
    metadata: optionalObject(record, 'conversation_metadata', place),
    turns: numberedTurns(messages, timesOf(record, messages, place)),
    numberedBy: 'order',
    leftOut: [],
  }
}

/** When messages were written; one whose time is null is not among them. */
function timesOf(
  { times }: JsonObject,
  messages: readonly Message[],
  place: Place,
): ReadonlyMap<Message, string> {
  const found = new Map<Message, string>()
  if (times === undefined || times === null) return found
  if (!Array.isArray(times) || times.length !== messages.length) throw new BadRecordError(place, WRONG_TIMES)
  for (const [index, message] of messages.entries()) {
    const time: unknown = times[index]
    if (typeof time === 'string') found.set(message, time)
    else if (time !== null) throw new BadRecordError(place, WRONG_TIMES)
  }
  return found
}

const WRONG_TIMES = 'times must be an array of strings or nulls, one for each message.'
