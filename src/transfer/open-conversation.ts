import type { CallOptions, Conversation, ConversationOptions, ConversationStore } from '../index.ts'

/** A conversation, and whether the store holds nothing of it yet. */
export interface OpenedConversation {
  readonly conversation: Conversation
  readonly isNew: boolean
}

/** Opens a conversation as its turns were counted, unless the options say otherwise: nothing is counted anew. */
export async function openConversation(
  store: ConversationStore,
  { userId, conversationId, encoding, framing }: ConversationOptions,
  options: CallOptions = {},
): Promise<OpenedConversation> {
  const key = { userId, conversationId }
  const counted = await store.conversation(key).countedAs(options)
  const conversation = store.conversation({
    ...key,
    encoding: encoding ?? counted?.encoding,
    framing: framing ?? counted?.framing,
  })
  return { conversation, isNew: counted === undefined }
}
