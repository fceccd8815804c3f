import type { Cell } from '../harness/report.ts'
import type { Peer, PeerMessage, PeerTurn } from './peer.ts'
import { countTokens, renderWindow } from './tokenizer.ts'

const counted = new Map<string, number>()

/** Tokens of the text that messages render to, by js-tiktoken: which takes ten seconds for 10,000 turns, so once a text. */
export function exactTokens(messages: readonly PeerMessage[]): number {
  const text = renderWindow(messages)
  const tokens = counted.get(text) ?? countTokens(text)
  counted.set(text, tokens)
  return tokens
}

/** What is to be said of a window that a peer returned. */
export interface Verdict {
  readonly messages: number
  /** As the peer counts. */
  readonly ownCount: number
  /** Of the text that the window renders to, by js-tiktoken under o200k_base. */
  readonly exactTokens: number
  readonly withinOwnCount: boolean
  readonly withinExactTokens: boolean
  /** Or is empty. */
  readonly beginsWithUser: boolean
  /** The newest messages, all of them and in their order. */
  readonly newestWithoutGap: boolean
  /** The newest whole turns, as many as fit by the peer's own count: no more and no fewer. */
  readonly largest: boolean
}

/** Loads a window and judges it by the turns that were stored. */
export async function judge(
  peer: Peer,
  conversation: string,
  limit: number,
  turns: readonly PeerTurn[],
): Promise<Verdict> {
  const window = await peer.load(conversation, limit)
  const count = peer.count ?? exactTokens
  const ownCount = await count(window)
  const exact = exactTokens(window)
  const stored = turns.flat()
  const newestWithoutGap = isSame(window, stored.slice(stored.length - window.length))
  const isOfWholeTurns = newestWithoutGap && window.length % 2 === 0
  const withOneMore = stored.slice(Math.max(0, stored.length - window.length - 2))
  const holdsAll = window.length === stored.length
  const oneMoreFits = !holdsAll && (await count(withOneMore)) <= limit
  return {
    messages: window.length,
    ownCount,
    exactTokens: exact,
    withinOwnCount: ownCount <= limit,
    withinExactTokens: exact <= limit,
    beginsWithUser: window[0]?.role !== 'assistant',
    newestWithoutGap,
    largest: isOfWholeTurns && ownCount <= limit && !oneMoreFits,
  }
}

/** A verdict as a row of a table. */
export function toRow(verdict: Verdict): Record<string, Cell> {
  return {
    messages: verdict.messages,
    'own count': verdict.ownCount,
    'exact tokens': verdict.exactTokens,
    'limit kept, own count': verdict.withinOwnCount,
    'limit kept, exact': verdict.withinExactTokens,
    'begins with user': verdict.beginsWithUser,
    'newest, no gap': verdict.newestWithoutGap,
    'largest that fits': verdict.largest,
  }
}

function isSame(window: readonly PeerMessage[], stored: readonly PeerMessage[]): boolean {
  return (
    window.length === stored.length &&
    window.every(({ role, content }, at) => role === stored[at]!.role && content === stored[at]!.content)
  )
}
