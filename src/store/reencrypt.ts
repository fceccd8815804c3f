import type { ConversationKey, TurnRow, TurnTexts } from '../dialect/dialect.ts'
import { inSlices, type Steps } from '../tokens/steps.ts'
import type { ConversationContext } from './conversation-reader.ts'
import type { UserTexts } from './texts.ts'

const CONVERSATIONS_PER_READ = 1000
const TURNS_PER_READ = 100
/**
 * How much is replaced in one statement, in characters of stored text, unless a single turn is longer: V8's strings end
 * at 536,870,888, and a hundred of the longest turns that a store may take would go beyond it.
 */
const CHARACTERS_PER_WRITE = 4_000_000

/** How many were rewritten: turns, and conversations whose own metadata was. */
export interface Reencrypted {
  readonly conversations: number
  readonly turns: number
}

interface Work {
  readonly texts: UserTexts
  readonly signal: AbortSignal | undefined
}

/**
 * Encodes anew what is not encoded as it should be, in the order of the conversations' ids and the turns' positions,
 * which no write of others changes. A text is replaced only where it still is what was read; what others write meanwhile
 * is theirs.
 */
export async function reencryptAll(
  context: ConversationContext,
  userId: string,
  { texts, signal }: Work,
): Promise<Reencrypted> {
  const { dialect, calls } = context
  const total = { conversations: 0, turns: 0 }
  for (let after = ''; ;) {
    const read = () => dialect.walkConversations(userId, after, CONVERSATIONS_PER_READ)
    const page = await calls.make(read, { effect: 'read', signal })
    for (const { conversationId, metadata } of page) {
      const key = { userId, conversationId }
      if (metadata !== null && (await reencryptMetadata(context, key, metadata, { texts, signal })))
        total.conversations++
      total.turns += await reencryptTurns(context, key, { texts, signal })
    }
    const last = page.at(-1)
    if (!last) return total
    after = last.conversationId
  }
}

async function reencryptMetadata(
  { dialect, calls }: ConversationContext,
  key: ConversationKey,
  seen: string,
  { texts, signal }: Work,
): Promise<boolean> {
  const { conversationId } = key
  const renewed = texts.renew(seen, { conversationId, kind: 'conversation metadata' })
  if (renewed === undefined) return false
  const replace = () => dialect.replaceMetadata(key, seen, renewed)
  return calls.make(replace, { effect: 'repeatable', signal })
}

async function reencryptTurns(
  { dialect, calls }: ConversationContext,
  key: ConversationKey,
  { texts, signal }: Work,
): Promise<number> {
  let replaced = 0
  for (let after = 0; ;) {
    const range = { after, before: undefined, limit: TURNS_PER_READ }
    const { turns: rows } = await calls.make(() => dialect.listTurns(key, range), { effect: 'read', signal })
    const renewed = await inSlices(renewTurns(rows, key, texts), signal)
    for (const batch of batchesOf(renewed)) {
      const replace = () => dialect.replaceTexts(key, batch)
      replaced += await calls.make(replace, { effect: 'repeatable', long: true, signal })
    }
    const last = rows.at(-1)
    if (!last) return replaced
    after = last.position
  }
}

function* renewTurns(
  rows: readonly TurnRow[],
  { conversationId }: ConversationKey,
  texts: UserTexts,
): Steps<TurnTexts[]> {
  const all: TurnTexts[] = []
  for (const { position, ...seen } of rows) {
    const messages = texts.renew(seen.messages, { conversationId, kind: 'messages' }) ?? seen.messages
    const metadata =
      seen.metadata === null
        ? null
        : (texts.renew(seen.metadata, { conversationId, kind: 'metadata' }) ?? seen.metadata)
    if (messages !== seen.messages || metadata !== seen.metadata) {
      all.push({ position, seenMessages: seen.messages, seenMetadata: seen.metadata, messages, metadata })
    }
    yield
  }
  return all
}

function* batchesOf(turns: readonly TurnTexts[]): Generator<TurnTexts[]> {
  let batch: TurnTexts[] = []
  let characters = 0
  for (const turn of turns) {
    const length = turn.messages.length + (turn.metadata?.length ?? 0)
    if (batch.length > 0 && characters + length > CHARACTERS_PER_WRITE) {
      yield batch
      batch = []
      characters = 0
    }
    batch.push(turn)
    characters += length
  }
  if (batch.length > 0) yield batch
}
