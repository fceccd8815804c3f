export { openStore } from './store/open-store.ts'
export { ConversationTokenBufferMemory } from './memory/token-buffer-memory.ts'
export { textFraming } from './tokens/framing.ts'
export { ENCODINGS, encodingForModel } from './tokens/encodings.ts'

export type { ConversationStore } from './store/conversation-store.ts'
export type { Conversation } from './store/conversation.ts'
export type { CountedAs } from './store/rule.ts'
export type {
  ConversationTokenBufferMemoryOptions,
  SaveContextOptions,
} from './memory/token-buffer-memory.ts'
export type * from './store/options.ts'
export type * from './types.ts'
export type { CountPart } from './tokens/count.ts'
export type { EncodingName } from './tokens/encodings.ts'
export type { ChatFraming, Framing, TextFraming } from './tokens/framing.ts'

export * from './errors.ts'
