import type { ConversationKey, Head, Page, TurnRow } from '../dialect/dialect.ts'
import type { Message } from '../types.ts'
import { decodeMessages } from './codec.ts'
import type { ConversationContext } from './conversation-reader.ts'

/** The most turns that are read at a time. */
const TURNS_PER_READ = 1000

/** The newest turns of a conversation, by rising position, as they are stored. */
export interface Tail {
  readonly head: Head | undefined
  readonly rows: readonly TurnRow[]
}

/**
 * The newest turns that hold `messages` messages, and one more: each holds one at least. They may be read by several
 * statements; who relies on them compares the conversation's row with the one that was read first.
 */
export async function readTail(
  { dialect, calls }: ConversationContext,
  key: ConversationKey,
  { messages, signal }: { readonly messages: number; readonly signal: AbortSignal | undefined },
): Promise<Tail> {
  const turns = messages + 1
  let head: Head | undefined
  const rows: TurnRow[] = []
  for (let before = Number.MAX_SAFE_INTEGER; ; before = rows[0]!.position) {
    const limit = Math.min(turns - rows.length, TURNS_PER_READ)
    const read = () => dialect.listTurns(key, { after: undefined, before, limit })
    const page: Page = await calls.make(read, { effect: 'read', signal })
    head ??= page.head
    rows.unshift(...page.turns)
    if (page.turns.length < limit || rows.length === turns) return { head, rows }
  }
}

/** The newest messages of some turns, `count` at most, oldest first. */
export function newestMessages(rows: readonly TurnRow[], count: number): Message[] {
  const messages: Message[] = []
  for (let at = rows.length - 1; at >= 0 && messages.length < count; at--) {
    messages.unshift(...decodeMessages(rows[at]!.messages))
  }
  return messages.slice(Math.max(0, messages.length - count))
}
