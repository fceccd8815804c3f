import { setTimeout } from 'node:timers/promises'
import { isSync, type Dialect, type Failure } from '../dialect/dialect.ts'
import {
  BackscrollError,
  DatabaseUnavailableError,
  OutcomeUnknownError,
  StoreClosedError,
  SynchronousTransactionError,
} from '../errors.ts'
import { inTime, isThenable, LATE } from '../in-time.ts'
import { giveWay } from '../tokens/steps.ts'
import type { Examination } from './examination.ts'

/** Longest pause before another try, in milliseconds, and the first one. Each is drawn at random below a doubling bound. */
const MAX_PAUSE_MS = 200
const FIRST_PAUSE_MS = 5
/** How much longer a call may take that works through a whole conversation, or waits for another process to migrate. */
const LONG_FACTOR = 30
/**
 * The share of the deadline within which a call is tried again. The rest is for the last try's answer: cut off by the
 * deadline while it waits for a connection, a write would be in doubt that was never sent.
 */
const TRYING_SHARE = 0.75
/** How long closing waits for calls that are under way, in milliseconds. */
const CLOSING_MS = 5000

/** How a call may be treated. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  /**
   * What may happen if the call runs twice. `read` and `repeatable`: nothing more than if it ran once. `once`: what it
   * writes is doubled, so that it is only made again when it is known not to have been applied.
   */
  readonly effect: 'read' | 'repeatable' | 'once'
  readonly long?: boolean
}

/** Makes a store's calls to its database: each with a deadline, tried again where that is safe, its errors explained. */
export class Calls {
  readonly #dialect: Dialect
  readonly #deadlineMs: number
  readonly #examination: Examination
  readonly #underWay = new Set<Promise<unknown>>()
  #closed = false

  constructor(dialect: Dialect, deadlineMs: number, examination: Examination) {
    this.#dialect = dialect
    this.#deadlineMs = deadlineMs
    this.#examination = examination
  }

  /**
   * @throws {DatabaseUnavailableError} when nothing was written, and a later call may work.
   * @throws {OutcomeUnknownError} when a write may have been stored.
   * @throws the signal's reason when it aborts; a write that is under way may still be stored then.
   */
  async make<T>(operation: () => T | Promise<T>, options: CallOptions): Promise<T> {
    const start = performance.now()
    await this.examine(options.signal)
    return this.makeUnexamined(operation, options, start)
  }

  /** Looks at the database's settings, unless that was done already. */
  async examine(signal: AbortSignal | undefined): Promise<void> {
    if (this.#examination.isDone) return
    const examine = () => this.#dialect.examine()
    this.#examination.finish(await this.makeUnexamined(examine, { effect: 'read', signal }))
  }

  /** {@link make} for what comes before a database can be used: looking at its settings, and migrating it. */
  async makeUnexamined<T>(
    operation: () => T | Promise<T>,
    { signal, effect, long = false }: CallOptions,
    start = performance.now(),
  ): Promise<T> {
    this.#checkMayWait()
    if (isSync(this.#dialect)) await giveWay()
    const deadlineMs = this.#deadlineMs * (long ? LONG_FACTOR : 1)
    const end = start + deadlineMs
    // Work may take long; finding out that nobody is there to do it may not.
    const lastStart = start + this.#deadlineMs * TRYING_SHARE
    let doubtful = false
    let earlier: BackscrollError | undefined
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
      this.#checkOpen()
      signal?.throwIfAborted()
      try {
        const result = operation()
        return isThenable(result) ? await this.#waitFor(inTime(result, end, signal)) : result
      } catch (error) {
        if (error === LATE) this.#dialect.renew?.(start)
        signal?.throwIfAborted()
        const { error: explained, retry } = error === LATE ? late(deadlineMs) : this.#explain(error)
        // Why earlier tries failed says more than that the last one got no answer.
        if (error === LATE && effect === 'read' && earlier) throw settleDoubt(earlier, doubtful)
        earlier = explained
        doubtful ||= explained instanceof OutcomeUnknownError && effect !== 'read'
        const again = retry === 'always' || (retry === 'if-repeatable' && effect !== 'once')
        const pause = Math.random() * pauseMs
        if (!again || this.#dialect.inTransaction || performance.now() + pause >= lastStart) {
          throw settleDoubt(explained, doubtful)
        }
        await sleep(pause, signal)
      }
    }
  }

  /** The same for a dialect that answers at once: no deadline to keep, no second try. */
  makeNow<T>(operation: () => T): T {
    const dialect = this.#dialect
    if (!this.#examination.isDone && isSync(dialect)) {
      this.#examination.finish(this.#makeOnce(() => dialect.examine()))
    }
    return this.#makeOnce(operation)
  }

  #makeOnce<T>(operation: () => T): T {
    this.#checkOpen()
    try {
      return operation()
    } catch (error) {
      throw this.#explain(error).error
    }
  }

  /** Keeps what a caller waits for, so that closing can wait for it as well. */
  async #waitFor<T>(result: Promise<T>): Promise<T> {
    this.#underWay.add(result)
    try {
      return await result
    } finally {
      this.#underWay.delete(result)
    }
  }

  /** Our own errors pass as they are. */
  #explain(error: unknown): Failure {
    return error instanceof BackscrollError ? { error, retry: 'never' } : this.#dialect.explain(error)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const end = performance.now() + CLOSING_MS
    await inTime(Promise.allSettled(this.#underWay), end, undefined).catch(() => {})
    await this.#dialect.close()
  }

  /** Inside a transaction whose body is synchronous, what comes after an await would run outside of it. */
  #checkMayWait(): void {
    if (this.#dialect.inTransaction && isSync(this.#dialect)) {
      throw new SynchronousTransactionError(
        'The body of a better-sqlite3 transaction is synchronous: inside it, call appendSync and loadWindowSync.',
      )
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreClosedError('This store was closed. Open another one.')
  }
}

const AGAIN_OR_LOOK = 'Repeat it with the same idempotency key, or look before writing again.'

function late(deadlineMs: number): Failure {
  const message = `The database gave no answer within ${deadlineMs} ms; a write may have been stored. ${AGAIN_OR_LOOK}`
  return { error: new OutcomeUnknownError(message), retry: 'never' }
}

/** A write that an earlier try may have stored stays in doubt whatever the last try says; a read never is. */
function settleDoubt(error: BackscrollError, doubtful: boolean): BackscrollError {
  if (doubtful && !(error instanceof OutcomeUnknownError)) {
    return new OutcomeUnknownError(`The write may have been stored by an earlier try. ${AGAIN_OR_LOOK}`, {
      cause: error,
    })
  }
  if (!doubtful && error instanceof OutcomeUnknownError) {
    return new DatabaseUnavailableError(
      'The database could not be read in time. Nothing was written; try again.',
      {
        cause: error,
      },
    )
  }
  return error
}

/** Ends early when the signal aborts; the next look at the signal throws then. */
async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await setTimeout(ms, undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted())
}
