import type { Head } from './dialect.ts'

/** A turn's text, and what it costs. `messages` is JSON text. */
export interface TurnContent {
  readonly messages: string
  readonly tokenCount: number
  readonly closingTokenCount: number
  readonly cumulativeTokens: number
}

/** A turn that a rewrite adds. `metadata` is JSON text. */
export interface AddedTurn extends TurnContent {
  readonly position: number
  readonly metadata: string | null
}

/** A change that is made once: its key, and a hash of what it is to change. */
export interface Operation {
  readonly id: string
  readonly fingerprint: string
}

/** What takes the place of a conversation's newest turns, worked out from what was read of them. */
export interface Rewrite {
  /** The conversation's row, and its newest turn's messages as stored; null without a turn. */
  readonly seen: { readonly head: Head; readonly messages: string | null }
  /** The position of the newest turn that stays, 0 for none: those above it go. */
  readonly keep: number
  /** What becomes of that turn; undefined where it stays as it is. */
  readonly changed: TurnContent | undefined
  readonly added: readonly AddedTurn[]
  /** What the conversation's row says then. */
  readonly totals: Pick<
    Head,
    'lastPosition' | 'newestPosition' | 'turnCount' | 'totalTokens' | 'newestSaving'
  >
  readonly operation: Operation | undefined
}
