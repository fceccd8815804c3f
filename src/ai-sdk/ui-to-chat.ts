import type { UIMessage } from 'ai'
import type { UserPart } from '../types.ts'
import { filePlaceholder, toChatFile } from './file-form.ts'
import { layOut, type LaidOut, type Piece } from './lay-out.ts'

type UIPart = UIMessage['parts'][number]

/** A UI message in chat form: what a model would be told of it. Data parts, sources and the like are for the eye only. */
export function uiToChat({ role, parts }: UIMessage): LaidOut {
  if (role === 'system') return single({ role, content: texts(parts).join('') })
  if (role === 'user') return single({ role, content: userContent(parts) })
  const laidOut = layOut(parts.flatMap(toPieces))
  return laidOut.messages.length > 0 ? laidOut : layOut([aside(parts)])
}

function single(message: LaidOut['messages'][number]): LaidOut {
  return { messages: [message], jsonOf: new Map() }
}

/** One text, as nearly all that people send is, is a string. */
function userContent(parts: readonly UIPart[]): string | UserPart[] {
  const sent = parts.flatMap((part): UserPart[] => {
    if (part.type === 'text') return [{ type: 'text', text: part.text }]
    return part.type === 'file' ? [toChatFile(fileOf(part))] : []
  })
  const [only] = sent
  return sent.length > 1 || (only && only.type !== 'text') ? sent : (only?.text ?? '')
}

function toPieces(part: UIPart): Piece[] {
  if (part.type === 'text') return [{ kind: 'text', text: part.text }]
  if (part.type === 'step-start') return [{ kind: 'step' }]
  if (part.type === 'reasoning') return [part.text === '' ? aside(part) : { kind: 'aside', text: part.text }]
  if (part.type === 'custom') return [aside(part)]
  if (part.type === 'file' || part.type === 'reasoning-file') {
    return [{ kind: 'aside', text: filePlaceholder(part.mediaType) }]
  }
  // A message of a user's own would open a turn in the middle of this one.
  if (part.type === 'steering-message') return [{ kind: 'aside', text: texts(part.parts).join('') }]
  return 'toolCallId' in part ? toolPieces(part) : []
}

type ToolPart = Extract<UIPart, { toolCallId: string }>

function toolPieces(part: ToolPart): Piece[] {
  const name = part.type === 'dynamic-tool' ? part.toolName : part.type.slice('tool-'.length)
  const call = { kind: 'call', id: part.toolCallId, name, input: part.input } as const
  const answered = (output: unknown): Piece[] => [call, { kind: 'result', id: part.toolCallId, output }]
  switch (part.state) {
    case 'output-available':
      return answered(part.output)
    case 'output-error':
      return answered(part.errorText)
    case 'output-denied':
      return answered(part.approval.reason ?? 'Tool call execution denied.')
    case 'input-streaming':
      return []
    default:
      // A call that waits for its result is none that a model's API would take; it is one as soon as it is answered.
      return [aside({ type: 'tool-call', toolName: name, input: part.input })]
  }
}

function texts(parts: readonly UIPart[]): string[] {
  return parts.flatMap((part) => (part.type === 'text' ? [part.text] : []))
}

function fileOf({ url, mediaType, filename, ...part }: Extract<UIPart, { type: 'file' }>) {
  return { data: part.providerReference ?? url, mediaType, filename }
}

function aside(value: unknown): Piece {
  return { kind: 'aside', text: JSON.stringify(value) }
}
