import { modelMessageSchema, safeValidateUIMessages, type ModelMessage, type UIMessage } from 'ai'
import { InvalidArgumentError, InvalidMessageError } from '../errors.ts'
import { kindOf } from '../redact.ts'
import type { Conversation } from '../store/conversation.ts'
import { toOwnJson } from './own-json.ts'

/** @throws {InvalidArgumentError} for what is no conversation of a store. */
export function checkConversation(conversation: Conversation): void {
  if (typeof conversation?.loadWindow === 'function') return
  throw new InvalidArgumentError(
    `The first argument must be a conversation: store.conversation({ userId, conversationId, framing: 'chat' }); ` +
      `got ${kindOf(conversation)}.`,
  )
}

/** Model messages, as the SDK itself would take them. @throws {InvalidMessageError} for anything else. */
export function checkModelMessages(messages: unknown): readonly ModelMessage[] {
  const list = checkList(messages)
  list.forEach((message, index) => {
    const { success, error } = modelMessageSchema.safeParse(message)
    // Not the SDK's own error: it quotes what it does not like.
    if (!success) {
      const [field] = error.issues.flatMap(({ path }) => (typeof path[0] === 'string' ? [`.${path[0]}`] : []))
      throw new InvalidMessageError(`messages[${index}]${field ?? ''} is not as a ModelMessage has it.`)
    }
  })
  return list as readonly ModelMessage[]
}

/**
 * UI messages, as the SDK itself would take them, each with an id. Tools, metadata and data parts are the app's to check.
 *
 * @throws {InvalidMessageError} for anything else.
 */
export async function checkUIMessages(messages: unknown): Promise<readonly UIMessage[]> {
  const list = checkList(messages)
  if (list.length === 0) return []
  for (const [index, message] of list.entries()) {
    const { success } = await safeValidateUIMessages({ messages: [message] })
    if (!success) throw new InvalidMessageError(`messages[${index}] is not as a UIMessage is.`)
    if ((message as UIMessage).id === '') {
      throw new InvalidMessageError(
        `messages[${index}].id is empty. Give the stream \`originalMessages\` and \`generateMessageId\`, so that the ` +
          'answer has an id.',
      )
    }
  }
  return list as readonly UIMessage[]
}

function checkList(messages: unknown): readonly unknown[] {
  if (!Array.isArray(messages)) {
    throw new InvalidMessageError(`messages must be an array; got ${kindOf(messages)}.`)
  }
  // Before anything else walks them: what refers to itself is found out here, and whose own code fails.
  try {
    toOwnJson(messages)
    return messages
  } catch (error) {
    if (error instanceof InvalidMessageError) throw error
    // No cause: what a toJSON or a getter throws may quote the message.
    throw new InvalidMessageError('A message cannot be written as JSON: its toJSON, or a getter, fails.')
  }
}
