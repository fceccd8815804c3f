import type { InvalidToolCall, ToolCall as LangChainToolCall } from '@langchain/core/messages/tool'
import type { AssistantMessage, Message, ToolCall } from '../types.ts'
import type { StoredForm } from './stored-form.ts'

/** The LangChain message that a message in chat form stands for, as LangChain stores it. */
export function fromPlain(message: Message): StoredForm {
  const fields = { ...fieldsOf(message), additional_kwargs: {}, response_metadata: {} }
  switch (message.role) {
    case 'user':
      return { type: 'human', data: fields }
    case 'system':
      return { type: 'system', data: fields }
    case 'developer':
      return { type: 'system', data: { ...fields, additional_kwargs: { __openai_role__: 'developer' } } }
    case 'tool':
      return { type: 'tool', data: { ...fields, tool_call_id: message.tool_call_id ?? '' } }
    case 'assistant':
      return { type: 'ai', data: { ...fields, ...answerFields(message) } }
  }
}

function fieldsOf(message: Message): Record<string, unknown> {
  const name = 'name' in message ? message.name : undefined
  return { content: message.content ?? '', ...(typeof name === 'string' ? { name } : {}) }
}

function answerFields({ refusal, tool_calls: calls }: AssistantMessage): Record<string, unknown> {
  const read = (calls ?? []).map(readCall)
  return {
    tool_calls: read.filter(({ type }) => type === 'tool_call'),
    invalid_tool_calls: read.filter(({ type }) => type === 'invalid_tool_call'),
    // Where LangChain's model for OpenAI has it.
    ...(typeof refusal === 'string' ? { additional_kwargs: { refusal } } : {}),
  }
}

function readCall(call: ToolCall): LangChainToolCall | InvalidToolCall {
  const { id } = call
  if (call.type === 'custom') {
    const { name, input } = call.custom
    return { name, args: { input }, id, type: 'tool_call', isCustomTool: true } as LangChainToolCall
  }
  const { name, arguments: text } = call.function
  const args = argumentsIn(text)
  return args
    ? { name, args, id, type: 'tool_call' }
    : { name, args: text, id, error: 'Malformed args.', type: 'invalid_tool_call' }
}

/** The arguments of a call, which are a model's own writing; undefined where they are not an object in JSON. */
function argumentsIn(text: string): Record<string, unknown> | undefined {
  // What some servers send for no arguments, and LangChain reads so.
  if (text === '') return {}
  try {
    const args: unknown = JSON.parse(text)
    const isObject = typeof args === 'object' && args !== null && !Array.isArray(args)
    return isObject ? (args as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
