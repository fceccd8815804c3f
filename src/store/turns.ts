import type { Page, TurnRow } from '../dialect/dialect.ts'
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

/** The answer of `loadWindow` as the caller sees it. */
export function toWindow({ head, turns: rows }: Page): Window {
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
