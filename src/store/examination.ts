import type { StoreWarning } from '../dialect/dialect.ts'

/**
 * Whether a store's database has been looked at: once for a store and all that it makes inside a host's transactions,
 * since what is found there belongs to the same database.
 */
export class Examination {
  readonly #onWarning: (warning: StoreWarning) => void
  #isDone = false

  constructor(onWarning: ((warning: StoreWarning) => void) | undefined) {
    this.#onWarning = onWarning ?? emitWarning
  }

  get isDone(): boolean {
    return this.#isDone
  }

  /** Passes on what was found, unless that was done already. */
  finish(warnings: readonly StoreWarning[]): void {
    if (this.#isDone) return
    this.#isDone = true
    for (const warning of warnings) this.#onWarning(warning)
  }
}

function emitWarning({ code, message }: StoreWarning): void {
  process.emitWarning(message, { type: 'BackscrollWarning', code: `BACKSCROLL_${code}` })
}
