import { BackscrollError } from '../index.ts'

/** Where something stands in a file: on a line, or as an element of the array that the file is. Counted from 1. */
export interface Place {
  readonly unit: 'Line' | 'Element'
  readonly number: number
}

/** A line or an element of a file that cannot be imported. Says which one and what is wrong, never what is in it. */
export class BadRecordError extends BackscrollError {
  readonly code = 'BAD_RECORD'

  constructor({ unit, number }: Place, what: string) {
    super(`${unit} ${number}: ${what} What stands before it is stored; run again when it is mended.`)
  }
}
