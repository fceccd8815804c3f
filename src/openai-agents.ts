export { BackscrollSession } from './openai-agents/session.ts'

export type { BackscrollSessionOptions } from './openai-agents/session.ts'
