import { BadRecordError, type Place } from './bad-record.ts'
import { readChatForm } from './chat-form.ts'
import { readChatGpt } from './chatgpt.ts'
import { readExportedTurn } from './exported-turn.ts'
import { isObject } from './json.ts'
import type { Recorded, RecordedConversation } from './recorded.ts'
import { readValues } from './values.ts'

/** What stands in for what a file does not say. */
export interface RecordDefaults {
  /** Whose conversations they are. */
  readonly userId: string
  /** Which conversation it is. By default each record is one, named after the source and the record's number. */
  readonly conversationId?: string | undefined
  /** What the records come from, such as a file's name without its folder. */
  readonly sourceName: string
}

/**
 * The conversations of a file, told by what is in it: OpenAI chat form, an export of backscroll, where each record is a
 * turn, or one of ChatGPT. A JSON array, or a record a line. One record is in memory at a time.
 *
 * @throws {BadRecordError} at the first record that is none of these.
 */
export async function* readConversations(
  chunks: AsyncIterable<Uint8Array>,
  { userId, conversationId, sourceName }: RecordDefaults,
): AsyncGenerator<RecordedConversation> {
  for await (const { place, value, bytes } of readValues(chunks)) {
    const recorded = read(value, place)
    yield {
      ...recorded,
      place,
      bytes,
      userId: recorded.userId ?? userId,
      conversationId: recorded.conversationId ?? conversationId ?? `${sourceName}:${place.number}`,
      isNamed: recorded.conversationId !== undefined,
    }
  }
}

function read(value: unknown, place: Place): Recorded {
  if (!isObject(value)) throw new BadRecordError(place, 'not an object.')
  if ('mapping' in value) return readChatGpt(value, place)
  return 'position' in value ? readExportedTurn(value, place) : readChatForm(value, place)
}
