import {
  CASELESS,
  kindAt,
  LETTER,
  LOWER,
  MARK,
  NEWLINE,
  NUMBER,
  SIGN,
  skip,
  UPPER,
  WHITESPACE,
} from './characters.ts'
import type { EncodingName } from './encodings.ts'

/** Where the piece that begins at `start` ends. A piece begins where the text does, and where another piece ends. */
export type Cut = (text: string, start: number) => number

/**
 * How each encoding cuts a text into pieces: as its regular expression does, which stands above each function, in one or
 * two passes over the piece. By the regular expression itself, 1 million Greek capitals held the event loop for 0.2 s
 * (Node 20, 2 shared cores), since V8 backtracks through all of them, and 4 million overflowed its stack.
 */
export const CUTS: Readonly<Record<EncodingName, Cut>> = {
  gpt2: cutGpt2,
  r50k_base: cutGpt2,
  p50k_base: cutGpt2,
  p50k_edit: cutGpt2,
  cl100k_base: cutCl100k,
  o200k_base: cutO200k,
}

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
function cutGpt2(text: string, start: number): number {
  const contraction = contractionEnd(text, start, CONTRACTION)
  if (contraction > start) return contraction
  const at = afterBlank(text, start)
  const kind = kindAt(text, at)
  if (kind & LETTER) return skip(text, at, LETTER)
  if (kind & NUMBER) return skip(text, at, NUMBER)
  if (kind & SIGNS) return skip(text, at, SIGNS)
  return spacesEnd(text, start, skip(text, start, WHITESPACE))
}

// With C for (?i:'s|'t|'re|'ve|'m|'ll|'d):
// C|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
function cutCl100k(text: string, start: number): number {
  const kind = kindAt(text, start)
  if (kind & NUMBER) return numberEnd(text, start)
  const contraction = contractionEnd(text, start, CONTRACTION_OF_ANY_CASE)
  if (contraction > start) return contraction
  const word = kind & (LETTER | NEWLINE) ? start : after(text, start)
  if (kindAt(text, word) & LETTER) return skip(text, word, LETTER)
  const signs = afterBlank(text, start)
  if (kindAt(text, signs) & SIGNS) return skip(text, skip(text, signs, SIGNS), NEWLINE)
  return whitespaceEnd(text, start)
}

// With U for [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], L for [\p{Ll}\p{Lm}\p{Lo}\p{M}], and C as above:
// [^\r\n\p{L}\p{N}]?U*L+C?|[^\r\n\p{L}\p{N}]?U+L*C?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
function cutO200k(text: string, start: number): number {
  const kind = kindAt(text, start)
  if (kind & NUMBER) return numberEnd(text, start)
  const word = kind & (LETTER | NEWLINE) ? start : after(text, start)
  if (kindAt(text, word) & (LETTER | MARK)) {
    const end = wordEnd(text, word, (kind & MARK) !== 0)
    return contractionEnd(text, end, CONTRACTION_OF_ANY_CASE)
  }
  if (kind & MARK) return contractionEnd(text, word, CONTRACTION_OF_ANY_CASE)
  const signs = afterBlank(text, start)
  if (kindAt(text, signs) & SIGN) return newlinesAndSlashesEnd(text, skip(text, signs, SIGNS))
  return whitespaceEnd(text, start)
}

/** What `[^\s\p{L}\p{N}]` matches. */
const SIGNS = SIGN | MARK

/**
 * Where `U*L+|U+L*` ends, which begins with a letter or a mark. Capitals alone do not follow a mark, since that is a word by
 * itself: it matches `U*L+`, and they only `U+L*`, which comes after.
 */
function wordEnd(text: string, from: number, followsMark: boolean): number {
  const end = skip(text, from, UPPER | CASELESS | MARK)
  if (kindAt(text, end) & LOWER) return skip(text, end, LOWER | CASELESS | MARK)
  // U* gives back as many capitals as it takes to leave one character to L+.
  let lowered = end
  while (lowered > from) {
    const last = lowered - (isLowSurrogate(text.charCodeAt(lowered - 1)) ? 2 : 1)
    if (kindAt(text, last) !== UPPER) return lowered
    lowered = last
  }
  return followsMark ? from : end
}

/** Where `\p{N}{1,3}` ends. */
function numberEnd(text: string, start: number): number {
  let end = after(text, start)
  for (let more = 2; more > 0 && kindAt(text, end) & NUMBER; more--) end = after(text, end)
  return end
}

/** Where `\s*[\r\n]+|\s+(?!\S)|\s+` ends. */
function whitespaceEnd(text: string, start: number): number {
  const end = skip(text, start, WHITESPACE)
  let newline = end
  while (newline > start && !isNewline(text.charCodeAt(newline - 1))) newline--
  return newline > start ? newline : spacesEnd(text, start, end)
}

/** Where `\s+(?!\S)|\s+` ends, of whitespace up to `end`: the last of several goes with what follows. */
function spacesEnd(text: string, start: number, end: number): number {
  return end < text.length && end - start > 1 ? end - 1 : end
}

/** Where `[\r\n/]*` ends. */
function newlinesAndSlashesEnd(text: string, from: number): number {
  let at = from
  while (isNewline(text.charCodeAt(at)) || text.charCodeAt(at) === 0x2f) at++
  return at
}

function isNewline(code: number): boolean {
  return code === 0x0a || code === 0x0d
}

const CONTRACTION = /'(?:[stmd]|re|ve|ll)/y
const CONTRACTION_OF_ANY_CASE = /'(?:[stmd]|re|ve|ll)/iy

/** Where the contraction ends that begins at a place; the place itself where none does. */
function contractionEnd(text: string, at: number, contraction: RegExp): number {
  if (text.charCodeAt(at) !== 0x27) return at
  contraction.lastIndex = at
  return contraction.test(text) ? contraction.lastIndex : at
}

/** After the blank that stands at a place, if one does. */
function afterBlank(text: string, at: number): number {
  return text.charCodeAt(at) === 0x20 ? at + 1 : at
}

/** After the character that begins at a place. */
function after(text: string, at: number): number {
  return isLowSurrogate(text.charCodeAt(at + 1)) && text.codePointAt(at)! > 0xffff ? at + 2 : at + 1
}

function isLowSurrogate(code: number): boolean {
  return (code & 0xfc00) === 0xdc00
}
