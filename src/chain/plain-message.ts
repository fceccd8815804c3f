import type { Message } from '../types.ts'

/** Where the adapters keep what the chat form does not say of a message. */
const ADAPTERS_FIELDS: ReadonlySet<string> = new Set(['langchain', 'agents_item', 'ai_sdk'])

/** A message as a model's server takes it: OpenAI's refuses one with fields that it does not know. */
export function toPlainMessage(message: Message): Message {
  return Object.fromEntries(
    Object.entries(message).filter(([field]) => !ADAPTERS_FIELDS.has(field)),
  ) as unknown as Message
}
