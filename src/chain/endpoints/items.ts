import { contentText } from '../../tokens/render.ts'
import type { ContentPart, Message, UserMessage, SystemMessage } from '../../types.ts'
import type { Tool } from '../tools.ts'
import type { Round } from './endpoint.ts'

/** Messages in OpenAI chat form as the items that Responses takes. A speaker's `name` has no place there. */
export function toItems(messages: readonly Message[]): object[] {
  const customCalls = new Set<string>()
  return messages.flatMap((message): object[] => {
    if (message.role === 'tool') {
      const type = customCalls.has(message.tool_call_id) ? 'custom_tool_call_output' : 'function_call_output'
      return [{ type, call_id: message.tool_call_id, output: contentText(message) }]
    }
    if (message.role !== 'assistant') return [{ role: message.role, content: toInput(message) }]
    const calls = (message.tool_calls ?? []).map((call) => {
      if (call.type === 'custom') customCalls.add(call.id)
      return call.type === 'custom'
        ? { type: 'custom_tool_call', call_id: call.id, ...call.custom }
        : { type: 'function_call', call_id: call.id, ...call.function }
    })
    const text = contentText(message)
    return [...(text === '' ? [] : [{ role: 'assistant', content: text }]), ...calls]
  })
}

/**
 * A reply goes back as the items that it came as: a model that reasons wants its reasoning beside its calls. Across
 * turns only the messages are kept.
 *
 * Where the server stores nothing (`store: false`), it knows no reasoning by its id, and refuses one that does not bring
 * its content with it (`include: ['reasoning.encrypted_content']`).
 */
export function roundItems({ reply, results }: Round, { isStored }: { isStored: boolean }): unknown[] {
  const items = isStored ? reply.items : reply.items.filter((item) => !isBareReasoning(item))
  return [...items, ...toItems([reply.message(), ...results]).slice(-results.length)]
}

function isBareReasoning(item: unknown): boolean {
  const { type, encrypted_content: content } = Object(item) as { type?: unknown; encrypted_content?: unknown }
  return type === 'reasoning' && typeof content !== 'string'
}

/** A tool in OpenAI chat form as Responses takes it. Chat completions are not strict unless asked to be, Responses are. */
export function toFlatTool(tool: Tool): object {
  if (tool.type === 'function') {
    const { parameters = null, strict = false } = tool.function
    return { type: 'function', ...tool.function, parameters, strict }
  }
  const { format, ...custom } = tool.custom
  if (format === undefined) return { type: 'custom', ...custom }
  const { grammar, ...others } = format as { readonly grammar?: object }
  return { type: 'custom', ...custom, format: { ...others, ...grammar } }
}

function toInput({ content }: UserMessage | SystemMessage): unknown {
  return typeof content === 'string' ? content : content.map(toInputPart)
}

function toInputPart(part: ContentPart): object {
  if (part.type === 'text') return { type: 'input_text', text: part.text }
  if (part.type === 'image_url') {
    const { url, detail = 'auto' } = part.image_url
    return { type: 'input_image', image_url: url, detail }
  }
  return part.type === 'file' ? { type: 'input_file', ...part.file } : part
}
