import { microseconds } from '../../clock.ts'
import type { ConversationKey, TurnCounts } from '../../dialect.ts'
import type { Queries } from '../queries.ts'

/** How many turns were dropped after the position `to`. */
export function rewind(queries: Queries, key: ConversationKey, to: number): number {
  queries.forgetOperationsAfter().run({ ...key, position: to })
  const head = queries.head().get({ ...key })
  if (!head || head.newestPosition <= to) return 0
  const { changes: dropped } = queries.dropTurnsAfter().run({ ...key, position: to })
  const newest = queries.turnUpTo().get({ ...key, position: to })
  queries.putHead().run({
    ...key,
    ...head,
    newestPosition: newest?.position ?? 0,
    turnCount: head.turnCount - dropped,
    totalTokens: newest?.cumulativeTokens ?? 0,
    newestSaving: savingOf(newest),
    now: microseconds(),
  })
  return dropped
}

/** What a turn saves by standing last; nothing without a turn. */
export function savingOf(turn: Pick<TurnCounts, 'tokenCount' | 'closingTokenCount'> | undefined): number {
  return turn ? turn.tokenCount - turn.closingTokenCount : 0
}
