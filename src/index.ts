export { openStore } from './store/open-store.ts'
export { ConversationTokenBufferMemory } from './memory/token-buffer-memory.ts'
export { ConversationChain } from './chain/conversation-chain.ts'
export { toPlainMessage } from './chain/plain-message.ts'
export { textFraming } from './tokens/framing.ts'
export { ENCODINGS, encodingForModel } from './tokens/encodings.ts'

export type { ConversationStore } from './store/conversation-store.ts'
export type { Conversation } from './store/conversation.ts'
export type { CountedAs } from './store/rule.ts'
export type {
  ConversationTokenBufferMemoryOptions,
  MemoryWindowOptions,
  SaveContextOptions,
} from './memory/token-buffer-memory.ts'
export type * from './store/options.ts'
export type * from './store/text-codec.ts'
export type { Reencrypted } from './store/reencrypt.ts'
export type * from './types.ts'
export type { ChainValues } from './chain/conversation-chain.ts'
export type { OpenAIClient } from './chain/client.ts'
export type { Api, ChainCallOptions, ConversationChainOptions } from './chain/options.ts'
export type { ChainEvent, ChainListener, PromptEvent, ReplyEvent, SavedEvent } from './chain/events.ts'
export type { Usage } from './chain/reply.ts'
export type { RunTool, Tool } from './chain/tools.ts'
export type { CountPart } from './tokens/count.ts'
export type { EncodingName } from './tokens/encodings.ts'
export type { ChatFraming, Framing, TextFraming } from './tokens/framing.ts'

export * from './errors.ts'
