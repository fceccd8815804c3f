import type { Splitter, Stretch } from './stretch.ts'

const LINE_FEED = 0x0a

/** Cuts a file at its line feeds, and nowhere else: `readline` also cuts at U+2028, which JSON strings may hold. */
export class LineSplitter implements Splitter {
  readonly unit = 'Line'
  #pieces: Buffer[] = []
  #number = 0
  #end = 0;

  *push(chunk: Buffer): Generator<Stretch> {
    let start = 0
    for (let feed; (feed = chunk.indexOf(LINE_FEED, start)) !== -1; start = feed + 1) {
      yield this.#take(chunk.subarray(start, feed + 1))
    }
    this.#pieces.push(chunk.subarray(start))
  }

  end(): Stretch[] {
    return [this.#take(Buffer.alloc(0))]
  }

  #take(last: Buffer): Stretch {
    const content = Buffer.concat([...this.#pieces, last])
    this.#pieces = []
    this.#end += content.length
    return { number: ++this.#number, content, end: this.#end }
  }
}
