import type { AssistantMessage, Message, ToolCall, ToolMessage } from '../types.ts'

/** A piece of an answer, as far as the chat form knows it. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  /** What has no chat form, as text: it is counted as a message of its own. */
  | { readonly kind: 'aside'; readonly text: string }
  | { readonly kind: 'call'; readonly id: string; readonly name: string; readonly input: unknown }
  | { readonly kind: 'result'; readonly id: string; readonly output: unknown }
  /** A call of the model ends here. */
  | { readonly kind: 'step' }

/** Messages, and the values that stand in them as JSON text. */
export interface LaidOut {
  readonly messages: Message[]
  readonly jsonOf: ReadonlyMap<unknown, string>
}

/**
 * An answer's pieces as messages that a model's API takes: text and calls of a step in one, directly after it a result
 * for each call. Text that comes after a result is a message of its own; what has no chat form comes first in its step.
 */
export function layOut(pieces: readonly Piece[]): LaidOut {
  const messages: Message[] = []
  const jsonOf = new Map<unknown, string>()
  let texts: string[] = []
  let calls: ToolCall[] = []
  let results: ToolMessage[] = []

  const close = (): void => {
    if (texts.length > 0 || calls.length > 0) messages.push(assistant(texts, calls))
    messages.push(...results)
    texts = []
    calls = []
    results = []
  }
  const asText = (value: unknown): string => {
    if (typeof value === 'string') return value
    const json = (JSON.stringify(value) as string | undefined) ?? 'null'
    jsonOf.set(value, json)
    return json
  }

  for (const piece of pieces) {
    const isAfterResult = results.length > 0 && (piece.kind === 'text' || piece.kind === 'aside')
    if (isAfterResult || piece.kind === 'step') close()
    if (piece.kind === 'text') texts.push(piece.text)
    if (piece.kind === 'aside') messages.push({ role: 'assistant', content: piece.text })
    if (piece.kind === 'call') {
      const call = { name: piece.name, arguments: asText(piece.input ?? {}) }
      calls.push({ id: piece.id, type: 'function', function: call })
    }
    if (piece.kind === 'result') {
      if (!calls.some(({ id }) => id === piece.id)) close()
      results.push({ role: 'tool', content: asText(piece.output), tool_call_id: piece.id })
    }
  }
  close()
  return { messages, jsonOf }
}

function assistant(texts: readonly string[], calls: ToolCall[]): AssistantMessage {
  const content =
    texts.length > 1 ? texts.map((text) => ({ type: 'text', text }) as const) : (texts[0] ?? null)
  return { role: 'assistant', content, ...(calls.length > 0 ? { tool_calls: calls } : {}) }
}
