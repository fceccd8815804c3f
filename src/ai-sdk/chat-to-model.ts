import type { ModelMessage } from 'ai'
import { calledBy } from '../store/called-by.ts'
import type { ContentPart, Message, ToolCall } from '../types.ts'
import { partText } from '../tokens/render.ts'
import { filePlaceholder, mediaTypeOf } from './file-form.ts'

type UserContent = Exclude<Extract<ModelMessage, { role: 'user' }>['content'], string>
type AssistantContent = Exclude<Extract<ModelMessage, { role: 'assistant' }>['content'], string>

/**
 * Turns messages in chat form into model messages, one each, in their order: a result does not say the name of its tool,
 * and takes it from the newest call with its id.
 */
export class ChatReader {
  readonly #toolNames = new Map<string, string>()

  /** The next message as a model message. */
  read(message: Message): ModelMessage {
    switch (message.role) {
      case 'user':
        return { role: 'user', content: userContent(message.content) }
      case 'assistant':
        return { role: 'assistant', content: this.#answer(message) }
      case 'tool': {
        const toolCallId = message.tool_call_id ?? ''
        const toolName = this.#toolNames.get(toolCallId) ?? 'unknown'
        const output = toOutput(textOf(message.content))
        return { role: 'tool', content: [{ type: 'tool-result', toolCallId, toolName, output }] }
      }
      default:
        return { role: 'system', content: textOf(message.content) }
    }
  }

  #answer({
    content,
    refusal,
    tool_calls: calls,
  }: Extract<Message, { role: 'assistant' }>): AssistantContent {
    const said = content ?? refusal ?? []
    const parts = typeof said === 'string' ? [{ type: 'text', text: said } as const] : said
    return [
      ...parts.map((part) => ({ type: 'text', text: textOf([part]) }) as const),
      ...(calls ?? []).map((call) => this.#call(call)),
    ]
  }

  #call(call: ToolCall): Extract<AssistantContent[number], { type: 'tool-call' }> {
    const { name: toolName, arguments: text } = calledBy(call)
    const toolCallId = call.id ?? ''
    this.#toolNames.set(toolCallId, toolName)
    return { type: 'tool-call', toolCallId, toolName, input: call.type === 'custom' ? text : toInput(text) }
  }
}

function userContent(content: string | readonly ContentPart[]): string | UserContent {
  return typeof content === 'string' ? content : content.map(toUserPart)
}

/** A part that is not as the chat form has it, which who stores it may name as it likes, is told as its JSON. */
function toUserPart(part: ContentPart): UserContent[number] {
  if (part.type === 'image_url' && typeof part.image_url?.url === 'string') {
    const { url } = part.image_url
    return { type: 'file', data: url, mediaType: mediaTypeOf(url, 'image/*') }
  }
  if (part.type === 'input_audio' && typeof part.input_audio?.data === 'string') {
    const { data, format } = part.input_audio
    return { type: 'file', data, mediaType: format === 'mp3' ? 'audio/mpeg' : 'audio/wav' }
  }
  if (part.type === 'file' && part.file) {
    const { file_data: data, file_id: id = '', filename } = part.file
    const file = {
      type: 'file',
      data: data ?? id,
      mediaType: mediaTypeOf(data ?? '', 'application/octet-stream'),
    } as const
    return filename === undefined ? file : { ...file, filename }
  }
  return { type: 'text', text: textOf([part]) }
}

/** A text, or what a part says that is none. A file's bytes are no text: they were not counted as such. */
function textOf(content: string | readonly ContentPart[] | null | undefined): string {
  if (typeof content === 'string') return content
  return (content ?? [])
    .map((part) =>
      FILES.has(part.type) ? filePlaceholder(part.type) : (partText(part) ?? JSON.stringify(part)),
    )
    .join('')
}

const FILES: ReadonlySet<string> = new Set(['image_url', 'input_audio', 'file'])

/** A model may call with what is no JSON: then it is the text that it wrote. */
function toInput(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Objects and arrays are values that a tool gave back; all else is text, digits included. */
function toOutput(text: string) {
  if (/^\s*[[{]/.test(text)) {
    const value = toInput(text)
    if (value !== text) return { type: 'json', value: value as JsonOutput } as const
  }
  return { type: 'text', value: text } as const
}

type ToolResult = Extract<Extract<ModelMessage, { role: 'tool' }>['content'][number], { type: 'tool-result' }>
type JsonOutput = Extract<ToolResult['output'], { type: 'json' }>['value']
