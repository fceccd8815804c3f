import type { Message } from '../index.ts'
import { BadRecordError, type Place } from './bad-record.ts'

/** An object of a file, whose fields may hold anything. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Whether a value is an object, and neither an array nor null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The field's string, or undefined where it is not there. @throws {BadRecordError} for anything else. */
export function optionalString(record: JsonObject, field: string, place: Place): string | undefined {
  const value = record[field] ?? undefined
  if (value === undefined || typeof value === 'string') return value
  throw new BadRecordError(place, `${field} must be a string.`)
}

/** The field's object, or undefined where it is not there. @throws {BadRecordError} for anything else. */
export function optionalObject(record: JsonObject, field: string, place: Place): JsonObject | undefined {
  const value = record[field] ?? undefined
  if (value === undefined || isObject(value)) return value
  throw new BadRecordError(place, `${field} must be an object.`)
}

/** The record's messages as they are: `append` checks each. @throws {BadRecordError} when there are none. */
export function messagesOf({ messages }: JsonObject, place: Place): readonly Message[] {
  if (Array.isArray(messages) && messages.length > 0) return messages as Message[]
  throw new BadRecordError(place, 'messages must be an array of at least one message.')
}
