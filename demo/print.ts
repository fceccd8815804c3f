import { arch, availableParallelism, cpus, platform } from 'node:os'
import { stripVTControlCharacters, styleText } from 'node:util'

/** Bold on a terminal; NO_COLOR is respected. */
export function title(text: string): string {
  return styleText('bold', text)
}

/** Grey on a terminal. */
export function faint(text: string): string {
  return styleText('gray', text)
}

/** `1,234,567`; a number below ten keeps one decimal. */
export function count(number: number): string {
  return number.toLocaleString('en-US', { maximumFractionDigits: number < 10 ? 1 : 0 })
}

export function ms(milliseconds: number): string {
  return `${milliseconds.toFixed(2)} ms`
}

/** Columns as wide as their widest cell, right-aligned, as numbers are. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]) =>
    cells.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  ')
  return [faint(line(head)), ...rows.map(line)].join('\n')
}

/** What stands beside a figure: the machine, the version and the day. */
export function machine(): string {
  const cpu = cpus()[0]?.model.trim() || 'unknown processor'
  const day = new Date().toISOString().slice(0, 10)
  return `${cpu}, ${availableParallelism()} cores, ${platform()} ${arch()}, Node ${process.version}, ${day}`
}

/** At most `width` characters of a text, on one line, without what would move a terminal's cursor or turn its text. */
export function abridged(text: string, width: number): string {
  // A message may have a million characters; no more than these can be shown.
  const plain = stripVTControlCharacters(text.slice(0, width * 4))
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069\s]+/gu, ' ')
    .trim()
  const characters = [...plain]
  const whole = characters.length <= width && text.length <= width * 4
  return whole ? plain : `${characters.slice(0, width - 1).join('')}…`
}

/** An error as one line: what it says first, and the code of the database below it. Never a stack. */
export function oneLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const [message = ''] = error.message.split('\n')
  const { code } = (error.cause ?? {}) as { code?: unknown }
  return typeof code === 'string' ? `${message} (${code})` : message
}

/** Ends the process quietly when nobody reads on, as in `npm run demo | head`. */
export function stopWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(0)
  })
}
