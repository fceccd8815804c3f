import { BadRecordError } from './bad-record.ts'
import type { Splitter, Stretch } from './stretch.ts'

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c]
const [OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [0x5b, 0x5d, 0x7b, 0x7d]

/**
 * Cuts a file that is one JSON array into the array's elements, so that a file of any size is read an element at a
 * time. Looks at quotes, brackets and commas only, and at each byte once; whether an element is JSON is for the parser
 * to say.
 */
export class ElementSplitter implements Splitter {
  readonly unit = 'Element'
  #pieces: Buffer[] = []
  #number = 0
  /** Bytes of the chunks before this one. */
  #before = 0
  /** How many brackets and braces are open: 1 between the elements, and 0 before and after the array. */
  #depth = 0
  #isInString = false
  #isEscaped = false
  #isComplete = false;

  *push(chunk: Buffer): Generator<Stretch> {
    let start = 0
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!
      if (this.#isInString) this.#passString(byte)
      else if (byte === COMMA && this.#depth === 1) {
        yield this.#take(chunk.subarray(start, at), this.#before + at)
        start = at + 1
      } else if (byte === CLOSE_BRACKET && this.#depth === 1) {
        yield* this.#takeLast(chunk.subarray(start, at), this.#before + at)
      } else if (this.#isComplete && !isBlank(byte)) {
        throw this.#wrong('the file goes on behind its array.')
      } else {
        // What stands before the array is blank, or the file would not have been taken for one.
        if (byte === OPEN_BRACKET && this.#depth === 0) start = at + 1
        this.#passOutside(byte)
      }
    }
    this.#before += chunk.length
    if (this.#depth > 0) this.#pieces.push(chunk.subarray(start))
  }

  end(): Stretch[] {
    if (this.#isComplete) return []
    throw this.#wrong('the file ends in the middle of its array.')
  }

  #passString(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false
    else if (byte === BACKSLASH) this.#isEscaped = true
    else if (byte === QUOTE) this.#isInString = false
  }

  #passOutside(byte: number): void {
    if (byte === QUOTE) this.#isInString = true
    else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) this.#depth++
    // A brace cannot close the array: left where it is, it makes the element no JSON.
    else if ((byte === CLOSE_BRACKET || byte === CLOSE_BRACE) && this.#depth > 1) this.#depth--
  }

  /** The array may be empty; an element that is blank where others stand is not left out, since it is no JSON. */
  *#takeLast(content: Buffer, end: number): Generator<Stretch> {
    const last = this.#take(content, end)
    this.#depth = 0
    this.#isComplete = true
    if (last.number > 1 || !last.content.every(isBlank)) yield last
  }

  #take(content: Buffer, end: number): Stretch {
    const whole = Buffer.concat([...this.#pieces, content])
    this.#pieces = []
    return { number: ++this.#number, content: whole, end }
  }

  #wrong(what: string): BadRecordError {
    return new BadRecordError({ unit: this.unit, number: this.#number + 1 }, what)
  }
}

/** Whether a byte is what JSON allows between values. */
export function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}
