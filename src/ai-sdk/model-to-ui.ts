import type { ModelMessage, UIMessage } from 'ai'
import { mediaTypeOf, sourceOf, type GivenFile } from './file-form.ts'
import { resultContent } from './model-to-chat.ts'

type AssistantPart = Exclude<Extract<ModelMessage, { role: 'assistant' }>['content'], string>[number]
type ToolPart = Extract<ModelMessage, { role: 'tool' }>['content'][number]
type ToolResult = Extract<ToolPart, { type: 'tool-result' }>
/** Parts are built up here, a call's result coming after it. */
type UIPart = Record<string, unknown>

/**
 * Model messages as one UI message: an answer with all its steps, or what a person or the host said. The SDK only knows
 * the other way, `convertToModelMessages`, which gives the same messages back where both forms can say them.
 *
 * @param messages one that is the system's or a user's, or a run of an assistant's and its tools'.
 */
export function toUIMessage(id: string, messages: readonly ModelMessage[]): UIMessage {
  const [first] = messages
  const role = first?.role === 'system' || first?.role === 'user' ? first.role : 'assistant'
  const parts: UIPart[] = []
  for (const message of messages) {
    if (message.role === 'assistant') parts.push({ type: 'step-start' })
    const { content } = message
    if (typeof content === 'string') parts.push({ type: 'text', text: content, ...ended(role) })
    else for (const part of content) addPart(parts, part, role)
  }
  return { id, role, parts } as UIMessage
}

type Part =
  AssistantPart | ToolPart | Exclude<Extract<ModelMessage, { role: 'user' }>['content'], string>[number]

function addPart(parts: UIPart[], part: Part, role: UIMessage['role']): void {
  const metadata = 'providerOptions' in part && part.providerOptions ? part.providerOptions : undefined
  const own = metadata ? { providerMetadata: metadata } : {}
  switch (part.type) {
    case 'text':
    case 'reasoning':
      parts.push({ type: part.type, text: part.text, ...ended(role), ...own })
      break
    case 'custom':
      parts.push({ type: part.type, kind: part.kind, ...own })
      break
    case 'image':
      parts.push({ ...filePart({ data: part.image, mediaType: part.mediaType ?? 'image/*' }), ...own })
      break
    case 'file':
    case 'reasoning-file':
      parts.push({ ...filePart(part), type: part.type, ...own })
      break
    case 'tool-call': {
      const { toolCallId, toolName, input, providerExecuted } = part
      const state = { state: 'input-available', input, ...(providerExecuted ? { providerExecuted } : {}) }
      const call = metadata ? { callProviderMetadata: metadata } : {}
      parts.push({ type: `tool-${toolName}`, toolCallId, ...state, ...call })
      break
    }
    case 'tool-approval-request':
      answer(parts, part.toolCallId, { state: 'approval-requested', approval: { id: part.approvalId } })
      break
    case 'tool-approval-response': {
      const { approvalId: id, approved, reason } = part
      const asked = parts.find(({ approval }) => Object(approval).id === id)
      const approval = { id, approved, ...(reason === undefined ? {} : { reason }) }
      if (asked) Object.assign(asked, { state: 'approval-responded', approval })
      break
    }
    case 'tool-result':
      answer(parts, part.toolCallId, outcomeOf(part, parts))
  }
}

/** What a stream leaves behind of a text. */
function ended(role: UIMessage['role']): { state?: 'done' } {
  return role === 'assistant' ? { state: 'done' } : {}
}

/** Adds to the newest call of that id. A result whose call is not there has nothing that it could be shown with. */
function answer(parts: readonly UIPart[], toolCallId: string, outcome: UIPart): void {
  const call = parts.findLast((part) => part['toolCallId'] === toolCallId)
  if (call) Object.assign(call, outcome)
}

function outcomeOf({ toolCallId, output }: ToolResult, parts: readonly UIPart[]): UIPart {
  const value = resultContent(output)
  if (output.type === 'execution-denied') {
    const { approval } = Object(parts.findLast((part) => part['toolCallId'] === toolCallId))
    return approval ? { state: 'output-denied' } : { state: 'output-error', errorText: value }
  }
  if (output.type === 'error-text') return { state: 'output-error', errorText: value }
  if (output.type === 'error-json') return { state: 'output-error', errorText: JSON.stringify(value) }
  return { state: 'output-available', output: value }
}

function filePart({ data, mediaType, filename }: GivenFile & { mediaType: string }): UIPart {
  const { url, text, base64 = '', reference } = sourceOf(data)
  const name = filename === undefined ? {} : { filename }
  const file = { type: 'file', mediaType, ...name }
  if (url !== undefined) return { ...file, mediaType: mediaTypeOf(url, mediaType), url }
  if (reference) return { ...file, url: '', providerReference: reference }
  if (text === undefined) return { ...file, url: `data:${mediaType};base64,${base64}` }
  return { ...file, url: `data:text/plain;base64,${Buffer.from(text).toString('base64')}` }
}
