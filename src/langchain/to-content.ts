import type { AIMessage, BaseMessage } from '@langchain/core/messages'
import type { ContentPart } from '../types.ts'
import { isBlock, knownPart } from './known-part.ts'

/** A message's content in chat form; null for an answer that is a refusal. */
export function toContent(message: BaseMessage): string | ContentPart[] | null {
  const { content, additional_kwargs: extra } = message
  const isAnswer = message.getType() === 'ai'
  // A call from before there were tools, which chat form has no place for any more. LangChain gives it to the model.
  const call = isAnswer && extra.function_call ? JSON.stringify(extra.function_call) : ''
  if (typeof content === 'string') {
    const isRefusal = isAnswer && typeof extra.refusal === 'string' && content + call === ''
    return isRefusal ? null : content + call
  }
  const calls = callIds(message)
  const blocks: readonly unknown[] = Array.isArray(content) ? content : [content]
  const parts = blocks.filter((block) => !isCall(block, calls)).map(isAnswer ? answeredPart : givenPart)
  if (call !== '') parts.push(textPart(call))
  return parts.length === 0 ? '' : parts
}

function callIds(message: BaseMessage): ReadonlySet<unknown> {
  const { tool_calls: calls = [], invalid_tool_calls: brokenCalls = [] } = message as Partial<AIMessage>
  return new Set([...calls, ...brokenCalls].map(({ id }) => id))
}

/** Some providers give a call of a tool in the content too. It is left out there: it stands among the message's calls. */
function isCall(block: unknown, calls: ReadonlySet<unknown>): boolean {
  return isBlock(block) && typeof block['id'] === 'string' && calls.has(block['id'])
}

/** A part of what the model is given. A kind that chat form does not know stays: only a `countPart` can tell what it costs. */
function givenPart(block: unknown): ContentPart {
  const part = knownPart(block)
  if (part) return part
  return isBlock(block) ? (block as unknown as ContentPart) : asText(block)
}

/** A part of what the model answered. Its reasoning, and what its provider ran for it, become text. */
function answeredPart(block: unknown): ContentPart {
  const part = knownPart(block)
  if (part) return part
  const thought = isBlock(block) ? (block['reasoning'] ?? block['thinking']) : undefined
  return typeof thought === 'string' ? textPart(thought) : asText(block)
}

function asText(block: unknown): ContentPart {
  return textPart(typeof block === 'string' ? block : JSON.stringify(block))
}

function textPart(text: string): ContentPart {
  return { type: 'text', text }
}
