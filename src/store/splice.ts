import type { ConversationKey, Head, TurnRow } from '../dialect/dialect.ts'
import type { AddedTurn, ChangedTurn, Rewrite, TurnContent } from '../dialect/rewrite.ts'
import { countTurn, type Counting } from '../tokens/count.ts'
import { loadEncoder } from '../tokens/encoder.ts'
import { inSlices } from '../tokens/steps.ts'
import type { Message } from '../types.ts'
import { decodeMessages, encodeMessages } from './codec.ts'
import type { UserTexts } from './texts.ts'

/** What takes the place of a conversation's newest messages. */
export interface Splice {
  /** How many messages go. */
  readonly remove: number
  /** What comes. */
  readonly add: readonly Message[]
  /** Kept beside the turns that are opened: JSON text. */
  readonly metadata: string | null
}

/** The newest turns that a splice is about, by rising position. */
export interface Spliced {
  readonly head: Head
  /** At least one more than messages are to be removed, where there are so many. */
  readonly rows: readonly TurnRow[]
  /** The newest turn's messages as they are stored, which may be encoded; null without a turn. */
  readonly stored: string | null
}

/** By which rule a splice is counted, and how its texts are stored. */
export interface SpliceContext {
  readonly key: ConversationKey
  readonly counting: Counting
  readonly texts: UserTexts
  readonly maxTurnCharacters: number
  readonly signal: AbortSignal | undefined
}

/**
 * Messages in turns: a user's message opens one, and what follows joins it. What comes before any user's message is the
 * first of them, which may be empty: it belongs to the turn before.
 */
export function toTurns(messages: readonly Message[]): [joining: Message[], ...turns: Message[][]] {
  const turns: [Message[], ...Message[][]] = [[]]
  for (const message of messages) {
    if (message.role === 'user') turns.push([message])
    else turns.at(-1)!.push(message)
  }
  return turns
}

/**
 * Works out what takes the place of which turns. A turn that loses or gains messages keeps its position, time, metadata
 * and key; so does one that stands for one that went, the first for the first. Only what is left of either goes or comes.
 */
export async function planRewrite(
  { head, rows, stored }: Spliced,
  splice: Splice,
  context: SpliceContext,
): Promise<Omit<Rewrite, 'operation'>> {
  const { left, kept, isCut } = without(rows, splice.remove)
  const last = left.at(-1)
  const gone = rows.slice(left.length)
  const [joining, ...opened] = toTurns(splice.add)
  if (!last && joining.length > 0) opened.unshift(joining)

  const isChanged = last !== undefined && (isCut || joining.length > 0)
  const before = last ? last.cumulativeTokens - last.tokenCount : 0
  // What a turn may hold bounds what is added: of one that was stored under a higher limit, messages can be taken.
  const limits = joining.length > 0 ? context : { ...context, maxTurnCharacters: Number.MAX_SAFE_INTEGER }
  const changed: ChangedTurn[] = []
  const added: AddedTurn[] = []
  if (isChanged) {
    changed.push({ ...(await toContent([...kept, ...joining], before, limits)), position: last.position })
  }
  for (const [index, turn] of opened.entries()) {
    const total = (added.at(-1) ?? changed.at(-1) ?? last)?.cumulativeTokens ?? 0
    const content = await toContent(turn, total, context)
    const place = gone[index]
    if (place) changed.push({ ...content, position: place.position })
    else added.push({ ...content, position: head.lastPosition + added.length + 1, metadata: splice.metadata })
  }
  const newest = added.at(-1) ?? changed.at(-1)
  const keep = changed.at(-1)?.position ?? last?.position ?? 0
  // It rises where a turn was put in another's place, too: who read before finds that something was changed.
  const handedOut = opened.length === 0 ? 0 : Math.max(1, added.length)
  return {
    seen: { head, messages: stored },
    keep,
    changed,
    added,
    totals: {
      lastPosition: head.lastPosition + handedOut,
      newestPosition: added.at(-1)?.position ?? keep,
      turnCount: head.turnCount - gone.length + opened.length,
      totalTokens: newest?.cumulativeTokens ?? last?.cumulativeTokens ?? 0,
      newestSaving: newest ? newest.tokenCount - newest.closingTokenCount : last ? null : 0,
    },
  }
}

/** The turns that are left without so many of the newest messages, and the messages that the last of them keeps. */
function without(rows: readonly TurnRow[], messages: number) {
  const left = [...rows]
  for (let toRemove = messages; left.length > 0; left.pop()) {
    const all = decodeMessages(left.at(-1)!.messages)
    if (toRemove < all.length) {
      return { left, kept: all.slice(0, all.length - toRemove), isCut: toRemove > 0 }
    }
    toRemove -= all.length
  }
  return { left, kept: [], isCut: false }
}

/** A turn's content as it is stored. @throws {TurnTooLargeError} | {MissingTokenCountError} */
async function toContent(
  messages: readonly Message[],
  before: number,
  { key, counting, texts, maxTurnCharacters, signal }: SpliceContext,
): Promise<TurnContent> {
  const encoded = encodeMessages(messages, maxTurnCharacters)
  const count = await inSlices(
    countTurn(encoded.messages, await loadEncoder(counting.encoding), counting),
    signal,
  )
  return {
    messages: texts.encode(encoded.json, { conversationId: key.conversationId, kind: 'messages' }),
    ...count,
    cumulativeTokens: before + count.tokenCount,
  }
}
