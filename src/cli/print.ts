import { stripVTControlCharacters, styleText } from 'node:util'
import type { Writer } from './command.ts'
import { fitting, padded, widthOf } from './width.ts'

/** Bold on a terminal; NO_COLOR is respected. */
export function title(text: string, on: Writer = process.stdout): string {
  return styleText('bold', text, { stream: on })
}

/** Grey on a terminal. */
export function faint(text: string, on: Writer = process.stdout): string {
  return styleText('gray', text, { stream: on })
}

/** `1,234,567`; a number below ten keeps one decimal. */
export function count(number: number): string {
  return number.toLocaleString('en-US', { maximumFractionDigits: number < 10 ? 1 : 0 })
}

/** `1 turn`, `2,000 turns`. */
export function counted(number: number, unit: string): string {
  return `${count(number)} ${unit}${number === 1 ? '' : 's'}`
}

/** Columns as wide as their widest cell. Right-aligned, as numbers are, but for those that `left` names. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { left = [], on = process.stdout }: { left?: readonly string[]; on?: Writer } = {},
): string {
  const columns = head.map((name, column) => ({
    isLeft: left.includes(name),
    width: Math.max(name.length, ...rows.map((row) => widthOf(row[column] ?? ''))),
  }))
  const line = (cells: readonly string[]) =>
    columns
      .map(({ isLeft, width }, column) => {
        const cell = cells[column] ?? ''
        return isLeft ? padded(cell, width) : cell.padStart(width)
      })
      .join('  ')
      .trimEnd()
  return [faint(line(head), on), ...rows.map(line)].join('\n')
}

/** A text on one line, in at most `width` columns of a terminal, without what would move its cursor or turn its text. */
export function abridged(text: string, width: number): string {
  // A message may have a million characters; no more than these can be shown.
  const shown = plain(text.slice(0, width * 4))
  const isWhole = widthOf(shown) <= width && text.length <= width * 4
  return isWhole ? shown : `${fitting(shown, width - 1)}…`
}

/** A value for a program to read; what would act on a terminal is escaped, so that it parses to the same. */
export function json(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** An error as one line: what it says first, and the code of the database below it. Never a stack. */
export function oneLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const [message = ''] = error.message.split('\n')
  const { code } = (error.cause ?? {}) as { code?: unknown }
  return plain(typeof code === 'string' ? `${message} (${code})` : message)
}

/** Ends the process quietly when nobody reads on, as in `… | head`. */
export function stopWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(0)
  })
}

function plain(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069\s]+/gu, ' ')
    .trim()
}
