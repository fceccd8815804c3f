/** A letter in lower case. What the encodings tell apart are kinds: bits, so that they can be joined. */
export const LOWER = 1
/** A letter in upper or title case. */
export const UPPER = 2
/** A letter without case, as Chinese has, or a modifier such as `ʰ`. */
export const CASELESS = 4
/** Any letter: what `\p{L}` matches. */
export const LETTER = LOWER | UPPER | CASELESS
/** What combines with the character before it, such as an accent: `\p{M}`. */
export const MARK = 8
/** A numeral, `½` and `Ⅷ` among them: `\p{N}`. */
export const NUMBER = 16
/** A carriage return or a line feed. */
export const NEWLINE = 32
/** Any character that `\s` matches. */
export const WHITESPACE = NEWLINE | 64
/** Whatever is left: punctuation, emoji, controls, half a surrogate pair, what Unicode has not assigned. */
export const SIGN = 128

/**
 * The kinds by code point; 0 until one is first met, and for a surrogate, since as a code unit it may be half of anything.
 * Of this megabyte, the system gives memory to the pages of those that are met.
 */
const kinds = new Uint8Array(0x110000)

/** The kind of the character that begins at a place; 0 at the end of the text. */
export function kindAt(text: string, at: number): number {
  return at < text.length ? kinds[text.charCodeAt(at)]! || kindOf(text.codePointAt(at)!) : 0
}

/** Where the first character from `from` on that is of no kind among `joined` begins; otherwise the end of the text. */
export function skip(text: string, from: number, joined: number): number {
  let at = from
  while (at < text.length) {
    const kind = kinds[text.charCodeAt(at)]!
    if (kind & joined) {
      at++
    } else if (kind === 0) {
      const code = text.codePointAt(at)!
      if ((kindOf(code) & joined) === 0) return at
      at += code > 0xffff ? 2 : 1
    } else {
      return at
    }
  }
  return at
}

function kindOf(code: number): number {
  return kinds[code]! || classify(code)
}

/** The commonest of many first: Unicode has 140,000 letters without case. */
const PATTERNS = [
  [CASELESS, /[\p{Lo}\p{Lm}]/u],
  [LOWER, /\p{Ll}/u],
  [UPPER, /[\p{Lu}\p{Lt}]/u],
  [MARK, /\p{M}/u],
  [NUMBER, /\p{N}/u],
  [NEWLINE, /[\r\n]/],
  [WHITESPACE & ~NEWLINE, /\s/],
] as const

function classify(code: number): number {
  if (code >= 0xd800 && code < 0xe000) return SIGN
  const character = String.fromCodePoint(code)
  const [kind] = PATTERNS.find(([, pattern]) => pattern.test(character)) ?? [SIGN]
  kinds[code] = kind
  return kind
}
