import type { ToolCall } from '../types.ts'

/**
 * What a call in chat form calls, and with what text. Its fields may be anything, since who stores a call may name one that
 * the chat form does not know: that has its type for a name, and its JSON for arguments.
 */
export function calledBy(call: ToolCall): { readonly name: string; readonly arguments: string } {
  const called: unknown = call.type === 'custom' ? call.custom : call.function
  if (typeof called !== 'object' || called === null) {
    return { name: String(call.type ?? ''), arguments: JSON.stringify(call) }
  }
  const { name, arguments: given, input = given ?? '' } = called as Readonly<Record<string, unknown>>
  return { name: String(name ?? ''), arguments: typeof input === 'string' ? input : JSON.stringify(input) }
}
