import { CUTS, type Cut } from './cut.ts'
import type { EncodingName } from './encodings.ts'
import { mergeInSteps, mergeNow } from './merge.ts'
import { NO_RANK } from './ranks.ts'
import type { Ranks } from './ranks.ts'
import type { Steps } from './steps.ts'
import { writeUtf8 } from './utf8.ts'

/** UTF-16 units of text between two yields: some 0.1 ms of English, 0.5 ms of Chinese. */
const UNITS_PER_STEP = 2048

/** UTF-16 units of a piece up to which it is counted in one go, with its bytes in a buffer that all texts share. */
const SHORT_UNITS = 256
const shared = new Uint8Array(3 * SHORT_UNITS)

/** What a pass over a text gives: its tokens, and the last piece in it that is not all whitespace. */
interface Pass {
  total: number
  /** The last piece's place in the text, and the tokens before it and of it. */
  start: number
  end: number
  before: number
  own: number
}

/** Cuts a text into pieces as the encoding does, and counts the tokens of each. See `Encoder` for the methods. */
export class PieceEncoder {
  readonly encoding: EncodingName
  readonly #cut: Cut
  readonly #ranks: Ranks

  constructor(encoding: EncodingName, ranks: Ranks) {
    this.encoding = encoding
    this.#cut = CUTS[encoding]
    this.#ranks = ranks
  }

  *count(text: string): Steps<number> {
    return (yield* this.#pass(text, 0)).total
  }

  *countWithNewline(text: string): Steps<{ alone: number; beforeLine: number }> {
    const solid = text.trimEnd().length // trims what \s matches, no more and no less
    const { total, start, end, before, own } = yield* this.#pass(text, solid)
    // The pieces before the last one that is not all whitespace stay as they are whatever follows the text. A piece depends
    // on the characters up to where its alternatives gave up: that is inside the text for a run (of letters, digits, signs or
    // whitespace) which something else in the text ends, and where a contraction (`'re`) is cut off by the end of the text,
    // a newline cuts it off too. So only that last piece and the whitespace after it are looked at again.
    yield
    const tail = text.slice(start) + '\nH'
    const tailEnd = this.#cut(tail, 0)
    // Mostly it ends where it ended; it grows when it is signs or whitespace, which may take in the newline.
    const last = tailEnd === end - start ? own : yield* this.#countPiece(tail, 0, tailEnd)
    const rest = yield* this.#pass(tail.slice(tailEnd), 0)
    return { alone: total, beforeLine: before + last + rest.total - 1 } // `H` is a token
  }

  *#pass(text: string, solid: number): Steps<Pass> {
    const pass: Pass = { total: 0, start: 0, end: 0, before: 0, own: 0 }
    let total = 0
    let paused = 0
    for (let start = 0; start < text.length;) {
      const end = this.#cut(text, start)
      const tokens =
        end - start <= SHORT_UNITS
          ? this.#countShort(text, start, end)
          : yield* this.#countPiece(text, start, end)
      if (start < solid) {
        pass.start = start
        pass.end = end
        pass.before = total
        pass.own = tokens
      }
      total += tokens
      start = end
      if (start - paused >= UNITS_PER_STEP) {
        paused = start
        yield
      }
    }
    pass.total = total
    return pass
  }

  #countShort(text: string, start: number, end: number): number {
    const length = writeUtf8(text, start, end, shared)
    return this.#ranks.find(shared, 0, length) === NO_RANK ? mergeNow(this.#ranks, shared, length) : 1
  }

  *#countPiece(text: string, start: number, end: number): Steps<number> {
    if (end - start <= SHORT_UNITS) return this.#countShort(text, start, end)
    yield // finding the piece's end took its time already
    const bytes = new TextEncoder().encode(text.slice(start, end))
    yield
    return this.#ranks.find(bytes, 0, bytes.length) === NO_RANK
      ? yield* mergeInSteps(this.#ranks, bytes, bytes.length)
      : 1
  }
}
