import type { ModelMessage } from 'ai'
import type { ContentPart, Message, ToolCall } from '../types.ts'
import { mediaTypeOf } from './file-form.ts'

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
        const { tool_call_id: toolCallId } = message
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
    const { name: toolName, input } =
      call.type === 'custom'
        ? call.custom
        : { name: call.function.name, input: toInput(call.function.arguments) }
    this.#toolNames.set(call.id, toolName)
    return { type: 'tool-call', toolCallId: call.id, toolName, input }
  }
}

function userContent(content: string | readonly ContentPart[]): string | UserContent {
  return typeof content === 'string' ? content : content.map(toUserPart)
}

function toUserPart(part: ContentPart): UserContent[number] {
  if (part.type === 'image_url') {
    const { url } = part.image_url
    return { type: 'file', data: url, mediaType: mediaTypeOf(url, 'image/*') }
  }
  if (part.type === 'input_audio') {
    const { data, format } = part.input_audio
    return { type: 'file', data, mediaType: format === 'mp3' ? 'audio/mpeg' : 'audio/wav' }
  }
  if (part.type === 'file') {
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

/** A text, or what a part says that is none. */
function textOf(content: string | readonly ContentPart[] | null | undefined): string {
  if (typeof content === 'string') return content
  return (content ?? [])
    .map((part) =>
      part.type === 'text' ? part.text : part.type === 'refusal' ? part.refusal : JSON.stringify(part),
    )
    .join('')
}

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
