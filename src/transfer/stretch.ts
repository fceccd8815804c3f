import type { Place } from './bad-record.ts'

/** A part of a file that holds one value. */
export interface Stretch {
  /** Which of the file's stretches it is, from 1. */
  readonly number: number
  readonly content: Buffer
  /** Bytes of the file up to the end of it. */
  readonly end: number
}

/** Cuts a file into stretches. Takes it in chunks of any size, and holds no more of it than the stretch under way. */
export interface Splitter {
  readonly unit: Place['unit']
  /** The stretches that end in this chunk. */
  push(chunk: Buffer): Iterable<Stretch>
  /** What is left when the file ends. */
  end(): Stretch[]
}
