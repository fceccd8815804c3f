import type {
  CallOptions,
  Conversation,
  ConversationOptions,
  ConversationStore,
  CountedAs,
} from '../index.ts'

/** A conversation, and how its turns had been counted: undefined for one that the store holds nothing of yet. */
export interface OpenedConversation {
  readonly conversation: Conversation
  readonly countedAs: CountedAs | undefined
}

/** Opens a conversation as its turns were counted, unless the options say otherwise: nothing is counted anew. */
export async function openConversation(
  store: ConversationStore,
  { userId, conversationId, encoding, framing }: ConversationOptions,
  options: CallOptions = {},
): Promise<OpenedConversation> {
  const key = { userId, conversationId }
  const countedAs = await store.conversation(key).countedAs(options)
  const conversation = store.conversation({
    ...key,
    encoding: encoding ?? countedAs?.encoding,
    framing: framing ?? countedAs?.framing,
  })
  return { conversation, countedAs }
}
