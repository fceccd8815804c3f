/** Work that can be paused: it yields now and then so that its driver can let others run. */
export type Steps<T> = Generator<undefined, T, undefined>

/** How long one slice may hold the event loop, in milliseconds: half a frame of 60 Hz, and some 50 KB of English text. */
const SLICE_MS = 8

/** Does all the work now and gives its result. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

/**
 * Does the work in slices of some 8 ms and gives the event loop a turn after each. What is done within the first slice waits
 * for no turn at all. However many callers there are, only one of those that wait gets a slice in a turn.
 *
 * @param signal looked at before the first slice and between slices; its reason is what the promise rejects with.
 */
export async function inSlices<T>(steps: Steps<T>, signal?: AbortSignal): Promise<T> {
  signal?.throwIfAborted()
  // Newcomers share a turn with a slice of those that wait, and with each other: the more wait, the less each may take.
  let end = performance.now() + SLICE_MS / (1 + slices.waiting)
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
    if (performance.now() < end) continue
    await slices.next()
    signal?.throwIfAborted()
    end = performance.now() + SLICE_MS
  }
}

/**
 * Turns of the event loop, one each, in the order in which they were asked for. Immediates set by hand would all run in one
 * turn, one slice after the other.
 */
class Turns {
  /** How many have asked and not got theirs. */
  waiting = 0
  #last: Promise<void> = Promise.resolve()

  next(): Promise<void> {
    this.waiting++
    this.#last = this.#last
      .then(() => new Promise<void>((resolve) => void setImmediate(resolve)))
      .then(() => void this.waiting--)
    return this.#last
  }
}

/** A queue each: a short call does not wait behind the slices of long ones. */
const slices = new Turns()
const calls = new Turns()

/**
 * Lets the event loop take a turn when the present one has already lasted a slice, or when other calls wait for one:
 * whoever came first goes first. For work that is done at once and never waits: called in a loop, it would otherwise hold
 * everything else up until the loop ends.
 */
export async function giveWay(): Promise<void> {
  if (calls.waiting > 0) return calls.next()
  const now = performance.now()
  if (turnStart === undefined) {
    turnStart = now
    setImmediate(() => (turnStart = undefined))
  } else if (now - turnStart >= SLICE_MS) {
    await calls.next()
  }
}

/** When `giveWay` was first called in the present turn of the event loop. */
let turnStart: number | undefined
