import type { Page, TurnRow, WindowBounds } from '../dialect/dialect.ts'
import { CorruptDataError } from '../errors.ts'
import type { StoredTurn, Window } from '../types.ts'
import { decodeMessages, decodeMetadata } from './codec.ts'

/** A row as the caller sees it. */
export function toStoredTurn(row: TurnRow, { replayed = false } = {}): StoredTurn {
  return {
    position: row.position,
    tokenCount: row.tokenCount,
    cumulativeTokens: row.cumulativeTokens,
    messages: decodeMessages(row.messages),
    createdAt: row.createdAt,
    metadata: decodeMetadata(row.metadata),
    replayed,
  }
}

/**
 * The answer of `loadWindow` as the caller sees it.
 *
 * @throws {CorruptDataError} when rows are missing that belong in it.
 */
export function toWindow(page: Page, { maxTokens }: WindowBounds): Window {
  const { head, turns: rows } = page
  if (!isWhole(page, maxTokens)) {
    throw new CorruptDataError(
      'The stored totals and turns of this conversation disagree: turns are missing, or something else changed them. ' +
        'Restore a backup; or call recount(), which takes the turns that are there for all.',
    )
  }
  const turns = rows.map((row) => toStoredTurn(row))
  const tokens = rows.reduce((sum, row) => sum + row.tokenCount, 0)
  return {
    turns,
    messages: turns.flatMap((turn) => turn.messages),
    // The newest turn stands last, where no line break follows it.
    tokenCount: rows.length === 0 ? 0 : tokens - (head?.newestSaving ?? 0),
    omittedTurns: (head?.turnCount ?? 0) - rows.length,
    omittedTokens: (head?.totalTokens ?? 0) - tokens,
  }
}

/**
 * Whether a window's rows are what the conversation's own row says: each running total follows on the one before, the
 * newest is the conversation's, and none is left out where all would fit. A database does not notice that an index lost
 * an entry, and the model would be shown a shorter history in silence.
 */
function isWhole({ head, turns: rows }: Page, maxTokens: number): boolean {
  const { turnCount, totalTokens, newestPosition, newestSaving } = head ?? NO_TURNS
  if (rows.length === 0) return turnCount === 0 || totalTokens - newestSaving > maxTokens
  const newest = rows.at(-1)
  const before = rows[0]!.cumulativeTokens - rows[0]!.tokenCount
  let total = before
  const follows = rows.every((row) => row.cumulativeTokens === (total += row.tokenCount))
  const isNewest = newest?.position === newestPosition && total === totalTokens
  return (
    follows &&
    isNewest &&
    (before === 0) === (rows.length === turnCount) &&
    rows.length <= turnCount &&
    (rows.length === turnCount || totalTokens - newestSaving > maxTokens)
  )
}

const NO_TURNS = { turnCount: 0, totalTokens: 0, newestPosition: 0, newestSaving: 0 }
