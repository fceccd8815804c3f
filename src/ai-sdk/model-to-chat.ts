import type { ModelMessage } from 'ai'
import type { Message, UserPart } from '../types.ts'
import { filePlaceholder, toChatFile } from './file-form.ts'
import { layOut, type LaidOut, type Piece } from './lay-out.ts'

type AssistantPart = Exclude<Extract<ModelMessage, { role: 'assistant' }>['content'], string>[number]
type ToolPart = Extract<ModelMessage, { role: 'tool' }>['content'][number]
type UserContent = Extract<ModelMessage, { role: 'user' }>['content']
type ToolOutput = Extract<ToolPart, { type: 'tool-result' }>['output']

/** A model message in chat form: one message, or more where it holds results of several calls, or what has no chat form. */
export function modelToChat(message: ModelMessage): LaidOut {
  if (message.role === 'system') return single({ role: 'system', content: message.content })
  if (message.role === 'user') return single({ role: 'user', content: userContent(message.content) })
  const { content } = message
  const pieces = typeof content === 'string' ? [text(content)] : content.flatMap(toPieces)
  const laidOut = layOut(pieces)
  return laidOut.messages.length > 0 ? laidOut : layOut([aside(content)])
}

/** A result as the text that a model is given, or as the value whose JSON it is given. */
export function resultContent(output: ToolOutput): unknown {
  if (output.type === 'execution-denied') return output.reason ?? 'Tool call execution denied.'
  if (output.type !== 'content') return output.value
  return output.value
    .map((part) => (part.type === 'text' ? part.text : filePlaceholder(Object(part).mediaType ?? part.type)))
    .join('')
}

function single(message: Message): LaidOut {
  return { messages: [message], jsonOf: new Map() }
}

function userContent(content: UserContent): string | UserPart[] {
  if (typeof content === 'string') return content
  const parts = content.map((part): UserPart => {
    if (part.type === 'text') return { type: 'text', text: part.text }
    if (part.type === 'file') return toChatFile(part)
    return toChatFile({ data: part.image, mediaType: part.mediaType ?? 'image' })
  })
  return parts.length > 0 ? parts : ''
}

function toPieces(part: AssistantPart | ToolPart): Piece[] {
  switch (part.type) {
    case 'text':
      return [text(part.text)]
    case 'tool-call':
      return [{ kind: 'call', id: part.toolCallId, name: part.toolName, input: part.input }]
    case 'tool-result':
      return [{ kind: 'result', id: part.toolCallId, output: resultContent(part.output) }]
    // The call that they are about says all that a model is told.
    case 'tool-approval-request':
    case 'tool-approval-response':
      return []
    case 'file':
    case 'reasoning-file':
      return [{ kind: 'aside', text: filePlaceholder(part.mediaType) }]
    case 'reasoning':
      return [part.text === '' ? aside(part) : { kind: 'aside', text: part.text }]
    default:
      return [aside(part)]
  }
}

function text(value: string): Piece {
  return { kind: 'text', text: value }
}

function aside(value: unknown): Piece {
  return { kind: 'aside', text: JSON.stringify(value) }
}
