import { microseconds } from '../../clock.ts'
import type { ConversationKey } from '../../dialect.ts'
import type { Rewrite } from '../../rewrite.ts'
import type { Queries } from '../queries.ts'

/** False when what was seen is no longer what is there, or the operation was made: nothing was done then. */
export function rewrite(queries: Queries, key: ConversationKey, given: Rewrite): boolean {
  if (!isAsSeen(queries, key, given)) return false
  const { seen, keep, changed, added, totals, operation } = given
  const now = microseconds()
  queries.dropTurnsAfter().run({ ...key, position: keep })
  if (changed) queries.setContent().run({ ...key, ...changed, position: keep })
  for (const turn of added) queries.insertTurn().run({ ...key, ...turn, idempotencyKey: null, now })
  queries.putHead().run({ ...key, ...seen.head, ...totals, now })
  if (operation) {
    queries.insertOperation().run({ ...key, ...operation, position: Math.max(1, totals.lastPosition), now })
  }
  return true
}

function isAsSeen(queries: Queries, key: ConversationKey, { seen, operation }: Rewrite): boolean {
  const head = queries.head().get({ ...key })
  return (
    head?.encoding === seen.head.encoding &&
    head.framing === seen.head.framing &&
    head.lastPosition === seen.head.lastPosition &&
    head.newestPosition === seen.head.newestPosition &&
    head.turnCount === seen.head.turnCount &&
    head.totalTokens === seen.head.totalTokens &&
    head.createdAt.getTime() === seen.head.createdAt.getTime() &&
    queries.turnUpTo().get({ ...key, position: head.newestPosition })?.messages ===
      (seen.messages ?? undefined) &&
    (!operation || !queries.operation().get({ ...key, id: operation.id }))
  )
}
