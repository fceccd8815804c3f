import { styleText } from 'node:util'
import type { Writer } from './command.ts'
import { abridged, count, counted, faint } from './print.ts'
import type { Sum, ViewedTurn, WindowView } from './window-view.ts'

/** Columns where there is no terminal to ask, and the fewest that are drawn for. */
const COLUMNS = 100
const FEWEST_COLUMNS = 40

/**
 * A conversation as bars of tokens, one line a turn, oldest first: those that are left out pale, those that are given
 * full, the cut between them. The bars are as long as their share of the largest turn drawn. The totals stand below.
 */
export function drawBars(view: WindowView, on: Writer): string {
  const { all, given, omitted, older, turns } = view
  const columns = Math.max(FEWEST_COLUMNS, on.columns ?? COLUMNS)
  const bar = barOf(turns, columns, on)
  const lines = [
    ...olderLine(older.omitted, 'left out', on),
    ...turns.filter(({ isGiven }) => !isGiven).map(bar),
    ...cutLine(view, columns, on),
    ...olderLine(older.given, 'given', on),
    ...turns.filter(({ isGiven }) => isGiven).map(bar),
  ]
  const totals = `${turnsAndTokens(all)} in all. Given: ${turnsAndTokens(given)}. Left out: ${turnsAndTokens(omitted)}.`
  return [...lines, ...(lines.length > 0 ? [''] : []), totals].join('\n')
}

function barOf(turns: readonly ViewedTurn[], columns: number, on: Writer): (turn: ViewedTurn) => string {
  const most = Math.max(...turns.map(({ tokenCount }) => tokenCount))
  const positionWidth = count(turns.at(-1)?.position ?? 0).length
  const tokensWidth = count(most).length
  const barWidth = Math.floor(columns / 4)
  const textWidth = columns - positionWidth - tokensWidth - barWidth - 6
  return ({ position, tokenCount, isGiven, text }) => {
    const length = Math.max(1, Math.round((tokenCount / most) * barWidth))
    const bar = (isGiven ? '█' : '░').repeat(length)
    const gap = ' '.repeat(barWidth - length)
    const numbers = `${count(position).padStart(positionWidth)}  ${count(tokenCount).padStart(tokensWidth)}`
    const shown = abridged(text, textWidth)
    return isGiven
      ? `${numbers}  ${styleText('green', bar, { stream: on })}${gap}  ${shown}`.trimEnd()
      : faint(`${numbers}  ${bar}${gap}  ${shown}`.trimEnd(), on)
  }
}

function olderLine(sum: Sum, what: string, on: Writer): string[] {
  if (sum.turnCount === 0) return []
  return [
    faint(`… ${counted(sum.turnCount, 'older turn')}, ${counted(sum.tokenCount, 'token')}, ${what}`, on),
  ]
}

function cutLine({ given, omitted }: WindowView, columns: number, on: Writer): string[] {
  if (omitted.turnCount === 0) return []
  const text = given.turnCount === 0 ? ' cut: not even the newest turn fits ' : ' cut: given from here on '
  return [styleText('yellow', `──${text}`.padEnd(columns, '─'), { stream: on })]
}

function turnsAndTokens({ turnCount, tokenCount }: Sum): string {
  return `${counted(turnCount, 'turn')}, ${counted(tokenCount, 'token')}`
}
