import type { ConversationSummary, Metadata, StoredTurn } from '../index.ts'
import { BadRecordError, type Place } from './bad-record.ts'
import { messagesOf, optionalObject, optionalString, type JsonObject } from './json.ts'
import type { Recorded } from './recorded.ts'

/**
 * A turn as a line of an export, line break included. `conversation_metadata` stands on a conversation's first line.
 *
 * `created_at` says when the turn was first stored. A store that it was imported into keeps that in the turn's
 * metadata, from where it is written back: so an export of what was imported is the same as what was imported.
 */
export function toLine(
  turn: StoredTurn,
  { userId, conversation }: { userId: string; conversation: ConversationSummary },
  { isFirst }: { isFirst: boolean },
): string {
  const { created_at: original, ...others } = turn.metadata ?? {}
  const wasImported = isTime(original)
  const metadata = wasImported ? others : (turn.metadata ?? {})
  const line = {
    user_id: userId,
    conversation_id: conversation.conversationId,
    position: turn.position,
    messages: turn.messages,
    created_at: wasImported ? original : turn.createdAt.toISOString(),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(isFirst && conversation.metadata ? { conversation_metadata: conversation.metadata } : {}),
  }
  return `${JSON.stringify(line)}\n`
}

/** Reads such a line back. */
export function readExportedTurn(record: JsonObject, place: Place): Recorded {
  const { position } = record
  if (typeof position !== 'number' || !Number.isSafeInteger(position) || position < 1) {
    throw new BadRecordError(place, 'position must be a whole number, 1 or more.')
  }
  const messages = messagesOf(record, place)
  return {
    userId: optionalString(record, 'user_id', place),
    conversationId: optionalString(record, 'conversation_id', place),
    metadata: optionalObject(record, 'conversation_metadata', place),
    turns: [{ number: position, messages, metadata: metadataOf(record, place) }],
    numberedBy: 'position',
    leftOut: [],
  }
}

function metadataOf(record: JsonObject, place: Place): Metadata | undefined {
  const metadata = optionalObject(record, 'metadata', place)
  const createdAt = optionalString(record, 'created_at', place)
  if (createdAt === undefined || metadata?.['created_at'] !== undefined) return metadata
  return { ...metadata, created_at: createdAt }
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value))
}
