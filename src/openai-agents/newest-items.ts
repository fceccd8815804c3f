import type { AgentInputItem } from '@openai/agents-core'
import type { Conversation } from '../store/conversation.ts'
import type { Message } from '../types.ts'
import { toItems } from './item-form.ts'

/** The most turns that a conversation lists at a time. */
const MAX_TURNS = 1000

/**
 * The most recent items of a conversation, `limit` at most. Reads its newest turn, and of the older ones as many as the
 * items that are missing would take at the size of those that were read: mostly two statements.
 */
export async function newestItems(conversation: Conversation, limit: number): Promise<AgentInputItem[]> {
  let items: AgentInputItem[] = []
  const messages: Message[] = []
  let turnCount = 0
  let before = Number.MAX_SAFE_INTEGER
  for (let wanted = 1; ;) {
    const older = await conversation.listTurns({ before, limit: wanted })
    messages.unshift(...older.flatMap((turn) => turn.messages))
    items = toItems(messages)
    turnCount += older.length
    if (items.length >= limit || older.length < wanted) return items.slice(-limit)
    before = older[0]!.position
    wanted = Math.min(MAX_TURNS, Math.ceil(((limit - items.length) * turnCount) / items.length))
  }
}
