import type { Head } from './dialect.ts'

/** A turn's text, and what it costs. `messages` is JSON text. */
export interface TurnContent {
  readonly messages: string
  readonly tokenCount: number
  readonly closingTokenCount: number
  readonly cumulativeTokens: number
}

/** A turn whose content a rewrite replaces: its position, time, metadata and key stay. */
export interface ChangedTurn extends TurnContent {
  readonly position: number
}

/** A turn that a rewrite adds. `metadata` is JSON text. */
export interface AddedTurn extends ChangedTurn {
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
  /** What becomes of that turn and of those before it; others stay as they are. */
  readonly changed: readonly ChangedTurn[]
  readonly added: readonly AddedTurn[]
  /** What the conversation's row says then. */
  readonly totals: Pick<Head, 'lastPosition' | 'newestPosition' | 'turnCount' | 'totalTokens'> & {
    /** Null where the newest turn stays as it is: what its row says. */
    readonly newestSaving: number | null
  }
  readonly operation: Operation | undefined
}
