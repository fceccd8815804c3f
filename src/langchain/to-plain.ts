import type { AIMessage, BaseMessage, ChatMessage, ToolMessage } from '@langchain/core/messages'
import type { InvalidToolCall, ToolCall as LangChainToolCall } from '@langchain/core/messages/tool'
import type { Message, ToolCall } from '../types.ts'
import { toContent } from './to-content.ts'

/** What a LangChain message says, in chat form. A kind that has none is said by the assistant, so that it has a count. */
export function toPlain(message: BaseMessage): Message {
  const plain = { role: roleOf(message), content: toContent(message), ...nameOf(message) }
  if (message.getType() === 'tool') {
    return { ...plain, tool_call_id: (message as ToolMessage).tool_call_id } as Message
  }
  return (message.getType() === 'ai' ? { ...plain, ...answerOf(message as AIMessage) } : plain) as Message
}

function roleOf(message: BaseMessage): Message['role'] {
  switch (message.getType()) {
    case 'human':
      return 'user'
    case 'tool':
      return 'tool'
    case 'system':
      // Source: LangChain's coerceMessageLikeToMessage, which makes a system message of a developer's.
      return message.additional_kwargs['__openai_role__'] === 'developer' ? 'developer' : 'system'
    case 'generic':
      return roleNamed((message as ChatMessage).role)
    default:
      return 'assistant'
  }
}

/** The role that a host gave a message in words of its own. Not `tool`, which would need a call. */
function roleNamed(role: string): Message['role'] {
  return role === 'user' || role === 'system' || role === 'developer' ? role : 'assistant'
}

function nameOf({ name }: BaseMessage): { readonly name?: string } {
  return name === undefined ? {} : { name }
}

function answerOf(message: AIMessage): Record<string, unknown> {
  const { tool_calls: calls = [], invalid_tool_calls: brokenCalls = [], additional_kwargs: extra } = message
  const toolCalls = [...calls.map(toToolCall), ...brokenCalls.map(toBrokenCall)]
  return {
    ...(typeof extra.refusal === 'string' ? { refusal: extra.refusal } : {}),
    ...(toolCalls.length > 0 ? { tool_calls: toolCalls } : {}),
  }
}

function toToolCall({ id = '', name, args = {}, ...rest }: LangChainToolCall): ToolCall {
  if ('isCustomTool' in rest && rest.isCustomTool === true && typeof args['input'] === 'string') {
    return { id, type: 'custom', custom: { name, input: args['input'] } }
  }
  return { id, type: 'function', function: { name, arguments: JSON.stringify(args) } }
}

/** A call as the model wrote it, whose arguments could not be read. */
function toBrokenCall({ id = '', name = '', args = '' }: InvalidToolCall): ToolCall {
  return { id, type: 'function', function: { name, arguments: args } }
}
