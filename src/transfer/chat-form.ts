import type { Place } from './bad-record.ts'
import { messagesOf, optionalString, type JsonObject } from './json.ts'
import type { Recorded } from './recorded.ts'
import { splitIntoTurns } from './turns.ts'

/** A whole conversation in OpenAI chat form, as fine-tuning files and recordings have it: `{ "messages": […] }`. */
export function readChatForm(record: JsonObject, place: Place): Recorded {
  const turns = splitIntoTurns(messagesOf(record, place))
  return {
    userId: optionalString(record, 'user_id', place),
    conversationId: optionalString(record, 'conversation_id', place),
    metadata: undefined,
    turns: turns.map((messages, index) => ({ number: index + 1, messages })),
    numberedBy: 'order',
    leftOut: [],
  }
}
