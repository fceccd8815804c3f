import type { Message, ToolCall } from '../types.ts'
import { finishReasonOf, isRecord, usageOf, wantsUsage, type Endpoint, type Reply } from './endpoint.ts'
import { fragments, words } from './pieces.ts'
import { RequestError } from './request-error.ts'

const ROLES: readonly unknown[] = ['system', 'developer', 'user', 'assistant', 'tool']

/** `POST /v1/chat/completions`. */
export const chat: Endpoint = {
  api: 'chat',

  messagesOf({ messages }) {
    if (!Array.isArray(messages) || messages.length === 0)
      throw new RequestError(400, 'missing_messages', 'The body has no list of messages.', 'messages')
    const wrong = messages.findIndex((message) => !isMessage(message))
    if (wrong >= 0)
      throw new RequestError(
        400,
        'invalid_message',
        'A message is an object with a role (system, developer, user, assistant or tool) and a content that is a text or a list of parts.',
        `messages[${wrong}]`,
      )
    return messages
  },

  whole(reply) {
    const { content = null, refusal = null, toolCalls = [] } = reply.answer
    const message = {
      role: 'assistant',
      content,
      refusal,
      ...(toolCalls.length > 0 && { tool_calls: toolCalls }),
    }
    return {
      ...head(reply, 'chat.completion'),
      choices: [{ index: 0, message, logprobs: null, finish_reason: finishReasonOf(reply.answer) }],
      usage: usageOf(reply.answer),
    }
  },

  *events(reply) {
    const usage = wantsUsage(reply.body) ? usageOf(reply.answer) : undefined
    const chunk = (choices: object[], used: object | null) => ({
      data: { ...head(reply, 'chat.completion.chunk'), choices, ...(usage && { usage: used }) },
    })
    const choice = (delta: object, finishReason: string | null = null) =>
      chunk([{ index: 0, delta, logprobs: null, finish_reason: finishReason }], null)

    for (const delta of deltas(reply)) yield choice(delta)
    yield choice({}, finishReasonOf(reply.answer))
    if (usage) yield chunk([], usage)
    yield { data: '[DONE]' }
  },
}

function* deltas({ answer: { content, refusal, toolCalls = [] } }: Reply): Generator<object> {
  yield { role: 'assistant', content: content === undefined ? null : '' }
  for (const piece of words(content ?? '')) yield { content: piece }
  for (const piece of words(refusal ?? '')) yield { refusal: piece }
  for (const [index, call] of toolCalls.entries()) yield* callDeltas(index, call)
}

/** A call comes with its id and name first; what follows of it is known by its index alone. */
function* callDeltas(index: number, call: ToolCall): Generator<object> {
  const { id, type } = call
  const delta = (fields: object) => ({ tool_calls: [{ index, ...fields }] })
  if (type === 'function') {
    yield delta({ id, type, function: { name: call.function.name, arguments: '' } })
    for (const piece of fragments(call.function.arguments)) yield delta({ function: { arguments: piece } })
  } else {
    yield delta({ id, type, custom: { name: call.custom.name, input: '' } })
    for (const piece of fragments(call.custom.input)) yield delta({ custom: { input: piece } })
  }
}

function head({ id, createdAt, model }: Reply, object: string) {
  return { id: `chatcmpl-${id}`, object, created: createdAt, model }
}

function isMessage(value: unknown): value is Message {
  return isRecord(value) && ROLES.includes(value['role']) && isContent(value['content'])
}

function isContent(content: unknown): boolean {
  if (content === undefined || content === null || typeof content === 'string') return true
  return Array.isArray(content) && content.every((part) => isRecord(part) && typeof part['type'] === 'string')
}
