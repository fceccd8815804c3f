import type { ConversationStore, ConversationSummary } from '../index.ts'
import { toLine } from './exported-turn.ts'
import { listAll } from './list-all.ts'
import { openConversation } from './open-conversation.ts'

/** Which conversations to export. */
export interface ExportSelection {
  readonly userId: string
  /** Only this one. Default: all. */
  readonly conversationId?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * The conversations that an export holds, the one that was written to last at the end: imported in this order, they
 * stand in the user's list as they did. All of them are held in memory; their turns are not.
 */
export async function listForExport(
  store: ConversationStore,
  { userId, conversationId, signal }: ExportSelection,
): Promise<ConversationSummary[]> {
  const all = await listAll(store, userId, { signal })
  const chosen = all.filter((one) => conversationId === undefined || one.conversationId === conversationId)
  return chosen.toReversed()
}

/**
 * The turns of these conversations as JSONL, a turn a line, in order of position. A hundred turns are in memory at a
 * time, however long a conversation is, and nothing is counted. A conversation without turns has no line.
 */
export async function* exportLines(
  store: ConversationStore,
  conversations: readonly ConversationSummary[],
  { userId, signal }: Pick<ExportSelection, 'userId' | 'signal'>,
): AsyncGenerator<string> {
  for (const summary of conversations) {
    const key = { userId, conversationId: summary.conversationId }
    const { conversation } = await openConversation(store, key, { signal })
    for (let after = 0; ;) {
      const turns = await conversation.listTurns({ after, limit: 100, signal })
      for (const turn of turns) {
        yield toLine(turn, { userId, conversation: summary }, { isFirst: after === 0 && turn === turns[0] })
      }
      const last = turns.at(-1)
      if (last === undefined) break
      after = last.position
    }
  }
}
