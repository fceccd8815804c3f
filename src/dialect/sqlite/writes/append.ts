import { microseconds, toDate } from '../../clock.ts'
import type { AppendOutcome, NewTurn } from '../../dialect.ts'
import type { Queries } from '../queries.ts'

/** Hands out the position, adds to the totals and inserts the turn; or tells why not. */
export function append(queries: Queries, turn: NewTurn): AppendOutcome {
  const head = queries.head().get({ ...turn })
  const replayed = turn.idempotencyKey === null ? undefined : queries.turnByKey().get({ ...turn })
  if (head && replayed) return { kind: 'replayed', rule: head, turn: replayed }

  const otherRule = head && (head.encoding !== turn.encoding || head.framing !== turn.framing)
  const otherPosition =
    turn.expectedPosition !== null && turn.expectedPosition !== (head?.newestPosition ?? 0)
  if (otherRule || otherPosition) return { kind: 'refused', head }

  const position = (head?.lastPosition ?? 0) + 1
  const cumulativeTokens = (head?.totalTokens ?? 0) + turn.tokenCount
  const now = microseconds()
  queries.putHead().run({
    ...turn,
    lastPosition: position,
    newestPosition: position,
    turnCount: (head?.turnCount ?? 0) + 1,
    totalTokens: cumulativeTokens,
    newestSaving: turn.tokenCount - turn.closingTokenCount,
    now,
  })
  queries.insertTurn().run({ ...turn, position, cumulativeTokens, now })
  return {
    kind: 'appended',
    rule: turn,
    turn: { ...turn, position, cumulativeTokens, createdAt: toDate(now) },
  }
}
