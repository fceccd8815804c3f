import type { UIMessage } from 'ai'
import type { Conversation } from '../store/conversation.ts'
import type { StoredTurn } from '../types.ts'
import { toUIMessages, type ShownMessage } from './ui-messages.ts'

/** The most turns that are read at a time. */
const TURNS_PER_READ = 1000

/**
 * The newest stored messages, as far back as a list of them reaches: as many turns as it has, and where some of it is
 * among them, more until its first message is. From the position `from` on, where that is further back.
 */
export async function readStored(
  conversation: Conversation,
  given: readonly UIMessage[],
  { from, signal }: { readonly from: number | undefined; readonly signal: AbortSignal | undefined },
): Promise<ShownMessage[]> {
  const questions = given.filter(({ role }) => role === 'user').length
  const limit = Math.min(questions + 1, TURNS_PER_READ)
  const ids = new Set(given.map(({ id }) => id))
  const turns: StoredTurn[] = []
  for (let before = Number.MAX_SAFE_INTEGER; ; before = turns[0]!.position) {
    const page = await conversation.listTurns({ before, limit, signal })
    turns.unshift(...page)
    const stored = toUIMessages(turns)
    const known = stored.filter(({ message }) => ids.has(message.id))
    const isFar = from === undefined || (turns[0]?.position ?? 0) <= from
    const isCovered = known.length === 0 || known.some(({ message }) => message.id === given[0]!.id)
    if (page.length < limit || (isFar && isCovered)) return stored
  }
}
