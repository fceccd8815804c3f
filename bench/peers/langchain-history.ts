import { PostgresChatMessageHistory } from '@langchain/community/stores/message/postgres'
import { AIMessage, HumanMessage, type BaseMessage } from '@langchain/core/messages'
import type { Pool } from 'pg'
import type { PeerMessage, PeerTurn } from './peer.ts'

/** A message in LangChain's form. */
export function toLangChain({ role, content }: PeerMessage): BaseMessage {
  return role === 'user' ? new HumanMessage(content) : new AIMessage(content)
}

/** A message of LangChain's. */
export function fromLangChain(message: BaseMessage): PeerMessage {
  return { role: message.type === 'human' ? 'user' : 'assistant', content: message.text }
}

/** The histories of a table, each opened once: opening one checks that the table is there. */
export function openHistories(pool: Pool, tableName: string) {
  const histories = new Map<string, PostgresChatMessageHistory>()
  return (sessionId: string): PostgresChatMessageHistory => {
    const history = histories.get(sessionId) ?? new PostgresChatMessageHistory({ pool, tableName, sessionId })
    histories.set(sessionId, history)
    return history
  }
}

/** Stores turns, message by message: the history has no other way. */
export async function addTurns(
  history: PostgresChatMessageHistory,
  turns: readonly PeerTurn[],
): Promise<void> {
  await history.addMessages(turns.flat().map(toLangChain))
}
