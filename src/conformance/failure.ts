import { BackscrollError } from '../errors.ts'

/**
 * A store does not keep a promise. The message says which, what was promised and what was seen instead: positions,
 * counts and codes, never a text that is stored.
 */
export class ConformanceError extends BackscrollError {
  readonly code = 'CONFORMANCE'
  /** The names of the checks that failed. */
  readonly failed: readonly string[]
  /** What the random input came from: give it to run the same again. */
  readonly seed: number

  constructor(message: string, { failed, seed }: { failed: readonly string[]; seed: number }) {
    super(message)
    this.failed = failed
    this.seed = seed
  }
}
