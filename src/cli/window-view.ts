import type { Conversation, StoredTurn } from '../index.ts'
import { contentText } from '../tokens/render.ts'
import { abridged } from './print.ts'

/** A number of turns and the sum of their tokens. */
export interface Sum {
  readonly turnCount: number
  readonly tokenCount: number
}

/** A turn as one line of a view. */
export interface ViewedTurn {
  readonly position: number
  readonly tokenCount: number
  readonly createdAt: Date
  /** Whether it is in the window. */
  readonly isGiven: boolean
  /** How what the person said begins, on one line. */
  readonly text: string
}

/** What a model would be given of a conversation, and what not. */
export interface WindowView {
  readonly all: Sum
  /** Tokens as rendered: the newest turn, which stands last, needs no line break behind it and may count less. */
  readonly given: Sum
  readonly omitted: Sum
  /** The turns that are older than those in `turns`. */
  readonly older: { readonly given: Sum; readonly omitted: Sum }
  /** The newest, oldest first. */
  readonly turns: readonly ViewedTurn[]
}

/** Which window, and how many of the newest turns are looked at one by one: 1 or more. */
export interface ViewOptions {
  readonly maxTokens: number
  readonly retentionRatio: number
  readonly turns: number
  readonly signal: AbortSignal
}

/** A conversation's window and its newest turns. One statement for the window, one for each thousand turns. */
export async function viewWindow(
  conversation: Conversation,
  { turns: most, ...options }: ViewOptions,
): Promise<WindowView> {
  const window = await conversation.loadWindow(options)
  const start = window.turns[0]?.position ?? Infinity
  const inWindow = sumOf(window.turns)
  const omitted = { turnCount: window.omittedTurns, tokenCount: window.omittedTokens }
  const all = plus(omitted, inWindow)
  const newest = await newestTurns(conversation, most, options.signal)
  // What was appended since the window was loaded is not in it, nor left out of it.
  const turns = newest
    .filter((turn) => turn.cumulativeTokens <= all.tokenCount)
    .map((turn) => viewed(turn, turn.position >= start))
  return {
    all,
    given: { turnCount: inWindow.turnCount, tokenCount: window.tokenCount },
    omitted,
    older: {
      given: minus(inWindow, sumOf(turns.filter(({ isGiven }) => isGiven))),
      omitted: minus(omitted, sumOf(turns.filter(({ isGiven }) => !isGiven))),
    },
    turns,
  }
}

/** The most that one call lists. */
const PAGE = 1000

async function newestTurns(
  conversation: Conversation,
  most: number,
  signal: AbortSignal,
): Promise<StoredTurn[]> {
  const pages: StoredTurn[][] = []
  let before = Number.MAX_SAFE_INTEGER
  for (let left = most; left > 0; left -= PAGE) {
    const page = await conversation.listTurns({ before, limit: Math.min(left, PAGE), signal })
    const [oldest] = page
    if (!oldest) break
    pages.unshift(page)
    before = oldest.position
  }
  return pages.flat()
}

/** Longest beginning of a text, in columns: more than a terminal's line has. */
const BEGINNING = 200

function viewed({ position, tokenCount, createdAt, messages }: StoredTurn, isGiven: boolean): ViewedTurn {
  const said = messages.find(({ role }) => role === 'user') ?? messages[0]
  return {
    position,
    tokenCount,
    createdAt,
    isGiven,
    text: said ? abridged(contentText(said), BEGINNING) : '',
  }
}

function sumOf(turns: readonly { readonly tokenCount: number }[]): Sum {
  return { turnCount: turns.length, tokenCount: turns.reduce((sum, turn) => sum + turn.tokenCount, 0) }
}

function plus(one: Sum, other: Sum): Sum {
  return { turnCount: one.turnCount + other.turnCount, tokenCount: one.tokenCount + other.tokenCount }
}

function minus(one: Sum, other: Sum): Sum {
  return { turnCount: one.turnCount - other.turnCount, tokenCount: one.tokenCount - other.tokenCount }
}
