import type { AgentInputItem, SessionHistoryMutation } from '@openai/agents-core'
import { InvalidArgumentError } from '../errors.ts'
import { kindOf } from '../redact.ts'
import type { Conversation } from '../store/conversation.ts'
import type { Message } from '../types.ts'
import { toMessage } from './chat-form.ts'
import { toItems } from './item-form.ts'
import { isObject } from './json.ts'
import { untilUnchanged } from './until-unchanged.ts'

/** A message's items; without the message once they are others than it stands for. */
interface Entry {
  readonly message?: Message
  readonly items: readonly AgentInputItem[]
}

/**
 * Replaces calls in the whole of a conversation: the first one of an id by its replacement, and others of that id by
 * nothing. Reads all turns, and writes from the first one on that is changed, in one atomic step.
 *
 * @throws {InvalidArgumentError} | {InvalidMessageError} before anything is read.
 */
export async function applyMutations(conversation: Conversation, args: unknown): Promise<void> {
  const mutations = checkMutations(args)
  if (mutations.length === 0) return
  await untilUnchanged(async () => {
    const { messages } = await conversation.loadWindow({ maxTokens: Number.MAX_SAFE_INTEGER })
    const stored = messages.map((message): Entry => ({ message, items: toItems([message]) }))
    const entries = mutations.reduce(replaceCall, stored)
    const first = entries.findIndex(({ message }) => message === undefined)
    if (first === -1) return
    const replacement = entries
      .slice(first)
      .flatMap(({ message, items }) => (message ? [message] : items.map(toMessage)))
    await conversation.replaceNewest(messages.slice(first), replacement)
  })
}

function checkMutations(args: unknown): SessionHistoryMutation[] {
  const mutations = isObject(args) ? args['mutations'] : undefined
  if (!Array.isArray(mutations)) {
    throw new InvalidArgumentError(`mutations must be an array; got ${kindOf(mutations)}.`)
  }
  return mutations.map((mutation: unknown) => {
    const { type, callId, replacement } = isObject(mutation) ? mutation : {}
    if (type !== 'replace_function_call' || typeof callId !== 'string' || !isObject(replacement)) {
      throw new InvalidArgumentError(
        'A mutation must be { type: "replace_function_call", callId, replacement }.',
      )
    }
    const call = replacement as unknown as SessionHistoryMutation['replacement']
    toMessage(call)
    return { type, callId, replacement: structuredClone(call) }
  })
}

function replaceCall(entries: readonly Entry[], { callId, replacement }: SessionHistoryMutation): Entry[] {
  const isCall = (item: AgentInputItem) => item.type === 'function_call' && item.callId === callId
  let isReplaced = false
  return entries.map((entry) => {
    if (!entry.items.some(isCall)) return entry
    const items = entry.items.flatMap((item) => {
      if (!isCall(item)) return [item]
      if (isReplaced) return []
      isReplaced = true
      return [replacement]
    })
    return { items }
  })
}
