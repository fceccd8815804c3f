import { count } from '../src/cli/print.ts'
import { Progress } from '../src/cli/progress.ts'
import type { Conversation, ConversationStore } from '../src/index.ts'
import type { DemoDatabase } from './database.ts'
import { generatedTurn } from './generated-turn.ts'
import { openHost } from './host.ts'

const USER = 'backscroll-demo'

/** The newest turns, which are appended one at a time. */
export const NEWEST = 100

/**
 * The conversation of this many turns, filled up to it; what an earlier run stored is not stored again.
 *
 * All but the newest go in by large transactions of a host application: one transaction a turn would take minutes. Each
 * of the newest is a transaction of its own, as in a chat.
 */
export async function fill(
  store: ConversationStore,
  { url }: DemoDatabase,
  turns: number,
): Promise<Conversation> {
  const key = { userId: USER, conversationId: `${turns}-turns` }
  const conversation = store.conversation(key)
  const stored = await storedTurns(store, key.conversationId)
  if (stored >= turns) console.log(`${key.conversationId}: there already`)
  if (stored < turns - NEWEST) await appendInBatches(url, key, { from: stored, to: turns - NEWEST, turns })
  await appendOneByOne(conversation, { from: Math.max(stored, turns - NEWEST), turns })
  return conversation
}

async function storedTurns(store: ConversationStore, conversationId: string): Promise<number> {
  const conversations = await store.listConversations(USER, { limit: 1000 })
  return conversations.find((listed) => listed.conversationId === conversationId)?.turnCount ?? 0
}

async function appendInBatches(
  url: string,
  key: { readonly userId: string; readonly conversationId: string },
  { from, to, turns }: { from: number; to: number; turns: number },
): Promise<void> {
  const host = await openHost(url, key)
  try {
    const progress = new Progress(to, { from, unit: 'turns', on: process.stdout })
    for (let next = from; next < to; next = progress.done) {
      const batch = Math.min(host.batch, to - next)
      await host.appendAll(Array.from({ length: batch }, (_, index) => generatedTurn(turns - next - index)))
      await progress.to(next + batch)
    }
    console.log(`${key.conversationId}: ${progress.finish()}, ${count(host.batch)} to a transaction`)
  } finally {
    await host.close()
  }
}

async function appendOneByOne(
  conversation: Conversation,
  { from, turns }: { from: number; turns: number },
): Promise<void> {
  if (from >= turns) return
  const progress = new Progress(turns, { from, unit: 'turns', on: process.stdout })
  for (let next = from; next < turns; next++) {
    await conversation.append(generatedTurn(turns - next))
    await progress.to(next + 1)
  }
  console.log(`${conversation.conversationId}: ${progress.finish()}, a transaction each`)
}
