import {
  mapStoredMessagesToChatMessages,
  RemoveMessage,
  type BaseMessage,
  type StoredMessage,
} from '@langchain/core/messages'

/** A message as LangChain's own histories store it: its type and its fields, under the names that Python has too. */
export interface StoredForm {
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

/**
 * A message's stored form, as JSON keeps it. A chunk's is that of the message which it is a chunk of.
 *
 * Made from the message itself and not by its `toDict`: that gives the fields which the constructor was given, and so
 * loses the content of a message that was made from `contentBlocks`, and a name, an id or a usage that was set later.
 */
export function storedFormOf(message: BaseMessage): StoredForm {
  const fields = Object.entries({ ...message.lc_kwargs, ...message }).filter(
    ([name, value]) => value !== undefined && !name.startsWith('lc_') && !NO_FIELDS.has(name),
  )
  const data = { ...Object.fromEntries(fields), content: message.content }
  return JSON.parse(JSON.stringify({ type: message.getType(), data }, kept)) as StoredForm
}

/** What a message shows besides its fields: its type, another name of its content, and the pieces of its tool calls. */
const NO_FIELDS = new Set(['type', 'contentBlocks', 'tool_call_chunks'])

/** Bytes as base64, which LangChain takes for the same. @throws {TypeError} for what JSON would leave out or empty. */
function kept(this: unknown, key: string, value: unknown): unknown {
  // As it was before a toJSON, which bytes of Node's have.
  const own: unknown = (this as Record<string, unknown>)[key]
  if (own instanceof Uint8Array) return Buffer.from(own).toString('base64')
  const isLost = ['function', 'symbol'].includes(typeof value) || own instanceof Map || own instanceof Set
  if (isLost || (typeof value === 'number' && !Number.isFinite(value))) throw new TypeError()
  return value
}

/** The message of a stored form. @throws {Error} of LangChain's own, for a type or fields that it does not know. */
export function load({ type, data }: StoredForm): BaseMessage {
  // The one kind that LangChain can store but not load.
  if (type === 'remove') return new RemoveMessage(data as { id: string })
  return mapStoredMessagesToChatMessages([{ type, data } as unknown as StoredMessage])[0]!
}
