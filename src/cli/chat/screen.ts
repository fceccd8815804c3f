import { Writable } from 'node:stream'
import type { Writer } from '../command.ts'

/** A terminal as `readline` writes to it: what is typed shows only at a prompt, not in the middle of a reply. */
export class Screen extends Writable {
  isShown = false
  readonly #on: Writer

  constructor(on: Writer) {
    super()
    this.#on = on
  }

  /** Where `readline` breaks its lines. */
  get columns(): number | undefined {
    return this.#on.columns
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.isShown) this.#on.write(chunk)
    done()
  }
}
