export { BackscrollChatMessageHistory } from './langchain/chat-message-history.ts'
export { ConversationTokenBufferMemory } from './langchain/token-buffer-memory.ts'

export type { BackscrollChatMessageHistoryOptions } from './langchain/chat-message-history.ts'
export type { ConversationTokenBufferMemoryInput } from './langchain/token-buffer-memory.ts'
