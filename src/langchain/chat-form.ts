import { coerceMessageLikeToMessage, type BaseMessage } from '@langchain/core/messages'
import { CorruptDataError, InvalidMessageError } from '../errors.ts'
import { kindOf } from '../redact.ts'
import { sameJson } from '../store/codec.ts'
import type { Message } from '../types.ts'
import { fromPlain } from './from-plain.ts'
import { load, storedFormOf, type StoredForm } from './stored-form.ts'
import { toPlain } from './to-plain.ts'

/** A message in chat form, with what of a LangChain message the chat form has no place for. */
type KeptMessage = Message & { readonly langchain?: StoredForm }

/**
 * LangChain's messages in chat form. What that has no place for (ids, usage, metadata, artifacts, …) stands beside it in
 * the field `langchain`: as LangChain stores a message, but without the fields that the chat form says already. So a
 * text is kept once, and one that is changed in the database is changed for LangChain as well.
 *
 * @throws {InvalidMessageError} for what is no message, or could not be loaded again.
 */
export function toChatForm(messages: readonly BaseMessage[]): Message[] {
  if (Array.isArray(messages)) return messages.map(toKeptMessage)
  throw new InvalidMessageError(`addMessages takes an array of messages; got ${kindOf(messages)}.`)
}

function toKeptMessage(value: BaseMessage, index: number): KeptMessage {
  const { stored, plain } = readMessage(value, index)
  const kept = difference(stored, fromPlain(plain))
  return kept ? { ...plain, langchain: kept } : plain
}

/** A message as LangChain stores it, and what it says in chat form. */
function readMessage(value: BaseMessage, index: number): { stored: StoredForm; plain: Message } {
  try {
    // What a chain was called with reaches its history as it is, which may be { role, content } or a pair.
    const stored = storedFormOf(coerceMessageLikeToMessage(value))
    // A copy, since LangChain's constructors change the fields that they are given.
    return { stored, plain: toPlain(load(structuredClone(stored))) }
  } catch {
    // No cause: LangChain's own errors quote the message.
    throw new InvalidMessageError(
      `messages[${index}] must be a LangChain message that JSON can hold; got ${kindOf(value)}.`,
    )
  }
}

/** The fields in which a stored form differs from another; all of them where the two are of different types. */
function difference(stored: StoredForm, other: StoredForm): StoredForm | undefined {
  if (stored.type !== other.type) return stored
  const fields = Object.entries(stored.data).filter(([name, value]) => !isSame(value, other.data[name]))
  return fields.length === 0 ? undefined : { type: stored.type, data: Object.fromEntries(fields) }
}

function isSame(one: unknown, other: unknown): boolean {
  return other !== undefined && sameJson(JSON.stringify(one), JSON.stringify(other))
}

/**
 * The LangChain message of a stored one, whoever wrote it.
 *
 * @throws {CorruptDataError} when a call of a tool, or the field `langchain`, is none.
 */
export function fromChatForm(message: KeptMessage): BaseMessage {
  try {
    const plain = fromPlain(message)
    const { langchain: kept = plain } = message
    return load(kept.type === plain.type ? { ...plain, data: { ...plain.data, ...kept.data } } : kept)
  } catch {
    // No cause: LangChain's own errors quote the message.
    throw new CorruptDataError(
      'A stored message cannot be read as one of LangChain: something else changed it.',
    )
  }
}
