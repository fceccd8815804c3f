import type { CallOptions, ConversationStore, ConversationSummary } from '../index.ts'

/** The most that one call lists. */
const PAGE = 1000

/** All conversations of a user, the one that was written to last first. */
export async function listAll(
  store: ConversationStore,
  userId: string,
  { signal }: CallOptions = {},
): Promise<ConversationSummary[]> {
  const all: ConversationSummary[] = []
  for (let page; page === undefined || page.length === PAGE; all.push(...page)) {
    page = await store.listConversations(userId, { before: all.at(-1)?.cursor, limit: PAGE, signal })
  }
  return all
}
