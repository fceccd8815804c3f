import type { UIMessage } from 'ai'
import type { Conversation } from '../store/conversation.ts'
import type { StoredTurn } from '../types.ts'
import { placeIn, toUIMessages, type ShownMessage } from './ui-messages.ts'

/** The most turns that are read at a time. */
const TURNS_PER_READ = 1000

/**
 * The newest stored messages, as far back as a list of them reaches: as many turns as it has, and where some of it is
 * among them, more until its first message is; so where it has no question, since an answer alone is none that is new.
 * From the position `from` on, or the oldest that an id names, where that is further back.
 */
export async function readStored(
  conversation: Conversation,
  given: readonly UIMessage[],
  { from, signal }: { readonly from: number | undefined; readonly signal: AbortSignal | undefined },
): Promise<ShownMessage[]> {
  const questions = given.filter(({ role }) => role === 'user').length
  const ids = new Set(given.map(({ id }) => id))
  const oldest = Math.min(from ?? Infinity, ...given.map(({ id }) => placeIn(id) ?? Infinity))
  const turns: StoredTurn[] = []
  let before = Number.MAX_SAFE_INTEGER
  // Twice as many each time, since all that was read is looked at again.
  for (let wanted = questions + 1; ; wanted *= 2) {
    const limit = Math.min(wanted, TURNS_PER_READ)
    const page = await conversation.listTurns({ before, limit, signal })
    turns.unshift(...page)
    const stored = toUIMessages(turns)
    const known = stored.filter(({ message }) => ids.has(message.id))
    before = turns[0]?.position ?? 0
    const isFar = before <= oldest
    const isCovered =
      (known.length === 0 && questions > 0) || known.some(({ message }) => message.id === given[0]!.id)
    if (page.length < limit || (isFar && isCovered)) return stored
  }
}
