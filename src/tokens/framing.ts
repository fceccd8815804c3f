import { InvalidFramingError } from '../errors.ts'
import { kindOf } from '../redact.ts'

/** How a history is rendered as text: one `Prefix: content` line a message. */
export interface TextFraming {
  readonly kind: 'text'
  readonly humanPrefix: string
  readonly aiPrefix: string
}

/** How a history is sent as messages, with what OpenAI's chat form adds to each. */
export interface ChatFraming {
  readonly kind: 'chat'
}

/** What the chosen rendering adds around the contents, and so what a turn costs. */
export type Framing = TextFraming | ChatFraming

/** Text framing with the seed's prefixes. */
const TEXT: TextFraming = { kind: 'text', humanPrefix: 'Human', aiPrefix: 'AI' }

/**
 * Text framing with prefixes of your own. Defaults: `Human` and `AI`.
 *
 * @throws {InvalidFramingError} for a prefix that is empty, begins with white space or `/`, or holds a line break: the
 *   tokens of one line could then merge with those of the line before, and counts would no longer add up.
 */
export function textFraming(options: { humanPrefix?: string; aiPrefix?: string } = {}): TextFraming {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidFramingError(`textFraming takes an object of options; got ${kindOf(options)}.`)
  }
  const { humanPrefix = TEXT.humanPrefix, aiPrefix = TEXT.aiPrefix } = options
  checkPrefix('humanPrefix', humanPrefix)
  checkPrefix('aiPrefix', aiPrefix)
  return { kind: 'text', humanPrefix, aiPrefix }
}

/**
 * The framing that a caller names: `text` with the default prefixes, `chat`, or the result of {@link textFraming}.
 *
 * @throws {InvalidFramingError} for anything else.
 */
export function toFraming(framing: unknown): Framing {
  if (framing === 'text') return TEXT
  if (framing === 'chat') return { kind: 'chat' }
  if (typeof framing === 'object' && framing !== null && 'kind' in framing) {
    if (framing.kind === 'chat') return { kind: 'chat' }
    if (framing.kind === 'text') return textFraming(framing as Partial<TextFraming>)
  }
  throw new InvalidFramingError(
    `framing must be 'text', 'chat' or textFraming({ humanPrefix, aiPrefix }); got ${kindOf(framing)}.`,
  )
}

/** How a framing is recorded beside the counts that were made under it. */
export function framingName(framing: Framing): string {
  return framing.kind === 'chat' ? 'chat' : `text ${JSON.stringify([framing.humanPrefix, framing.aiPrefix])}`
}

/**
 * The framing that {@link framingName} recorded.
 *
 * @throws {InvalidFramingError} | {SyntaxError} for a name that it did not give.
 */
export function framingNamed(name: string): Framing {
  if (name === 'chat') return { kind: 'chat' }
  const [, prefixes = ''] = /^text (.*)$/s.exec(name) ?? []
  const [humanPrefix, aiPrefix] = JSON.parse(prefixes) as [string, string]
  return textFraming({ humanPrefix, aiPrefix })
}

/** Every encoding breaks a text between a line break and a character that is neither white space nor a slash. */
const BEGINS_A_TOKEN = /^[^\s/]/u

function checkPrefix(name: string, prefix: unknown): void {
  if (
    typeof prefix !== 'string' ||
    !BEGINS_A_TOKEN.test(prefix) ||
    /[\r\n]/.test(prefix) ||
    !prefix.isWellFormed()
  ) {
    throw new InvalidFramingError(
      `${name} must begin with a character that is neither white space nor "/", and hold no line break, ` +
        `or token counts would not be exact; got ${kindOf(prefix)}.`,
    )
  }
}
