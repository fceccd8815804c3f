import type { PostgresServer } from '../support/postgres-server.ts'

/** `short` takes seconds and is for CI, `full` takes minutes. */
type Size = 'short' | 'full'

/** What a scenario is given. */
export interface Surroundings {
  /** A server of the scenario's own, which it may stop, crash and start; it is up at the beginning and at the end. */
  readonly server: PostgresServer
  readonly size: Size
  /** What is drawn at random is drawn from it. When a fault strikes is up to the machine. */
  readonly seed: number
}

/** Injects faults under load, and tells what came of it. Throws {@link BrokenPromise} when a promise did not hold. */
export interface Scenario {
  readonly name: string
  /** The fault, for the table. */
  readonly fault: string
  /** It breaks what is promised for other settings, to show it. Only run when it is named. */
  readonly isDemonstration?: boolean
  run(surroundings: Surroundings): Promise<Outcome>
}

/** What came of a scenario: numbers for the table. */
export interface Outcome {
  /** How many faults were injected. */
  readonly faults: number
  /** How many calls were made, of every kind. */
  readonly calls: number
  /** Appends that were acknowledged. */
  readonly acknowledged: number
  /** Calls that ended with OUTCOME_UNKNOWN, or in a process that was killed. */
  readonly unknown: number
  /** Calls that ended with DATABASE_UNAVAILABLE. */
  readonly unavailable: number
  /** Acknowledged turns that are not there, or not at their position. */
  readonly lost: number
  /** Turns that are there more than once. */
  readonly doubled: number
  /** Positions below the last one at which no turn is, and none was dropped. */
  readonly gaps: number
  readonly worstMs: number
  readonly deadlineMs: number
  /** Rejections and exceptions that nobody handled; for a host's process, how often they ended it. */
  readonly unhandled: number
}

/** A promise did not hold. */
export class BrokenPromise extends Error {
  override readonly name = 'BrokenPromise'
  readonly outcome: Outcome

  constructor(outcome: Outcome, broken: readonly string[]) {
    super(broken.join('\n'))
    this.outcome = outcome
  }
}
