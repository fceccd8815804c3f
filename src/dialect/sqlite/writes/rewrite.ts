import { microseconds } from '../../clock.ts'
import type { ConversationKey } from '../../dialect.ts'
import type { Rewrite } from '../../rewrite.ts'
import type { Queries } from '../queries.ts'
import { savingOf } from './rewind.ts'

/** False when what was seen is no longer what is there, or the operation was made: nothing was done then. */
export function rewrite(queries: Queries, key: ConversationKey, given: Rewrite): boolean {
  if (!isAsSeen(queries, key, given)) return false
  const { seen, keep, changed, added, totals, operation } = given
  const now = microseconds()
  queries.dropTurnsAfter().run({ ...key, position: keep })
  for (const turn of changed) queries.setContent().run({ ...key, ...turn })
  for (const turn of added) queries.insertTurn().run({ ...key, ...turn, idempotencyKey: null, now })
  const newestSaving = totals.newestSaving ?? savingOf(queries.turnUpTo().get({ ...key, position: keep }))
  queries.putHead().run({ ...key, ...seen.head, ...totals, newestSaving, now })
  if (operation) {
    queries.insertOperation().run({ ...key, ...operation, position: Math.max(1, totals.newestPosition), now })
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
    (!operation || !queries.operation().get({ ...key, operationId: operation.id }))
  )
}
