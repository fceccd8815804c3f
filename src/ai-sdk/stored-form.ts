import { isDeepStrictEqual } from 'node:util'
import type { ModelMessage, UIMessage } from 'ai'
import { CorruptDataError } from '../errors.ts'
import type { Message } from '../types.ts'
import { ChatReader } from './chat-to-model.ts'
import { modelToChat } from './model-to-chat.ts'
import { fromOwnJson, HeldTexts, toOwnJson } from './own-json.ts'
import { uiToChat } from './ui-to-chat.ts'

/**
 * What stands beside the first of the messages that one message of the AI SDK became, in `ai_sdk`; beside each further
 * one stands its number. Together they say whether all of them are there.
 */
interface Kept {
  readonly form: 'model' | 'ui'
  /** How many messages they are. */
  readonly span: number
  /** The AI SDK's message as {@link toOwnJson} writes it. */
  readonly message: unknown
}

/** A message of the AI SDK and the stored messages that it became. */
export type StoredMessage =
  | { readonly form: 'model'; readonly message: ModelMessage; readonly chat: readonly Message[] }
  | { readonly form: 'ui'; readonly message: UIMessage; readonly chat: readonly Message[] }

/**
 * Model messages as they are stored. One that its chat form gives back as it was is stored as that alone.
 *
 * @throws {InvalidMessageError} for what JSON cannot keep.
 */
export function toStoredModelMessages(messages: readonly ModelMessage[]): Message[] {
  const reader = new ChatReader()
  return messages.flatMap((message) => {
    const own = toOwnJson(message)
    const { messages: chat, jsonOf } = modelToChat(message)
    const readBack = chat.map((one) => reader.read(one))
    if (isDeepStrictEqual(toOwnJson(readBack), [own])) return chat
    return keep('model', chat, toOwnJson(message, new HeldTexts(chat, jsonOf)))
  })
}

/** A UI message as it is stored: its id, at least, has no place in the chat form. */
export function toStoredUIMessage(message: UIMessage): Message[] {
  const { messages: chat, jsonOf } = uiToChat(message)
  return keep('ui', chat, toOwnJson(message, new HeldTexts(chat, jsonOf)))
}

/**
 * Stored messages as messages of the AI SDK. Those that others wrote, or changed, are read by their chat form.
 *
 * @param reader knows of the messages before these which call is of which tool.
 * @throws {CorruptDataError} for an `ai_sdk` field that backscroll did not write.
 */
export function fromStored(stored: readonly Message[], reader = new ChatReader()): StoredMessage[] {
  const read: StoredMessage[] = []
  for (let at = 0; at < stored.length;) {
    const kept = keptWith(stored, at)
    const chat = stored.slice(at, at + (kept?.span ?? 1)).map(withoutKept)
    const plain = chat.map((message) => reader.read(message))
    if (!kept) read.push({ form: 'model', message: plain[0]!, chat: stored.slice(at, at + 1) })
    else {
      const message = fromOwnJson(kept.message, chat)
      read.push({ form: kept.form, message, chat: stored.slice(at, at + kept.span) } as StoredMessage)
    }
    at += chat.length
  }
  return read
}

function keep(form: Kept['form'], chat: readonly Message[], message: unknown): Message[] {
  const kept: Kept = { form, span: chat.length, message }
  return chat.map((one, index) => ({ ...one, ai_sdk: index === 0 ? kept : index }))
}

/** What is kept with a message, where all those are there that it belongs to: one may have been taken away. */
function keptWith(stored: readonly Message[], at: number): Kept | undefined {
  const kept = fieldOf(stored[at]!)
  if (kept === undefined || typeof kept === 'number') return undefined
  if (!isKept(kept)) {
    throw new CorruptDataError(
      'A stored message has an ai_sdk field that is none: something else changed it.',
    )
  }
  const others = stored.slice(at + 1, at + kept.span)
  const isWhole = others.length === kept.span - 1 && others.every((one, index) => fieldOf(one) === index + 1)
  return isWhole ? kept : undefined
}

function isKept(value: unknown): value is Kept {
  const { form, span, message } = Object(value) as Readonly<Record<string, unknown>>
  const { role, parts } = Object(message) as Readonly<Record<string, unknown>>
  const isMessage = form === 'ui' ? Array.isArray(parts) : typeof role === 'string'
  return (form === 'model' || form === 'ui') && Number.isSafeInteger(span) && Number(span) > 0 && isMessage
}

function fieldOf(message: Message): unknown {
  return (message as { readonly ai_sdk?: unknown }).ai_sdk
}

function withoutKept(message: Message): Message {
  const { ai_sdk: _, ...chat } = message as Message & { readonly ai_sdk?: unknown }
  return chat
}
