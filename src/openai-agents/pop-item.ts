import type { AgentInputItem } from '@openai/agents-core'
import type { Conversation } from '../store/conversation.ts'
import { toMessage } from './chat-form.ts'
import { toItems } from './item-form.ts'
import { untilUnchanged } from './until-unchanged.ts'

/** Takes the newest item of a conversation away and returns it; undefined where there is none. */
export function popItem(conversation: Conversation): Promise<AgentInputItem | undefined> {
  return untilUnchanged(async () => {
    const [turn] = await conversation.listTurns({ before: Number.MAX_SAFE_INTEGER, limit: 1 })
    const newest = turn?.messages.at(-1)
    if (!turn || !newest) return undefined
    // Not popMessage: of an answer with tool calls, which others store as one message, only the last call is to go.
    const left = toItems([newest]).slice(0, -1)
    await conversation.replaceNewest([newest], left.map(toMessage))
    return toItems(turn.messages).at(-1)
  })
}
