import type { ContentPart, Message, Role } from '../types.ts'
import type { TextFraming } from './framing.ts'

/** Messages as text: one `Prefix: content` line each, joined by line breaks, contents untouched; `''` for none. */
export function renderText(messages: readonly Message[], framing: TextFraming): string {
  return messages
    .map((message) => `${prefixOf(message.role, framing)}: ${contentText(message)}${toolCallsText(message)}`)
    .join('\n')
}

function prefixOf(role: Role, { humanPrefix, aiPrefix }: TextFraming): string {
  if (role === 'user') return humanPrefix
  if (role === 'assistant') return aiPrefix
  return role === 'tool' ? 'Tool' : 'System'
}

/** A message's content as text; parts that are not text as `[image]`, `[audio]`, `[file]`. */
export function contentText(message: Message): string {
  return contentParts(message)
    .map((part) => partText(part) ?? PLACEHOLDERS.get(part.type) ?? `[${part.type}]`)
    .join('')
}

/** A Map, since an object has a `constructor` as well, and the type of a part is the user's. */
const PLACEHOLDERS: ReadonlyMap<string, string> = new Map([
  ['image_url', '[image]'],
  ['input_audio', '[audio]'],
  ['file', '[file]'],
])

/** A message's content as parts, whichever form it has. A refusal stands where the content would. */
export function contentParts(message: Message): readonly ContentPart[] {
  const content = message.content ?? ('refusal' in message ? message.refusal : '') ?? ''
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content
}

/** The text of a part that is text; undefined for an image, audio or a file. */
export function partText(part: ContentPart): string | undefined {
  if (part.type === 'text') return part.text
  return part.type === 'refusal' ? part.refusal : undefined
}

/** An assistant's tool calls as the JSON that follows its content; `''` when there are none. */
export function toolCallsText(message: Message): string {
  const calls = message.role === 'assistant' ? message.tool_calls : undefined
  // Null and an empty array are what some servers send for none.
  return calls && calls.length > 0 ? JSON.stringify(calls) : ''
}
