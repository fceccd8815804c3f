import { setTimeout } from 'node:timers/promises'

/**
 * How much longer than its deadline a call may take, in milliseconds. Generous, since it is for a busy machine: a call
 * that hangs, hangs for ever, or for the 30 s of a driver's timer.
 */
const GRACE_MS = 5000

/** The call's result. Fails when it is still pending well after its deadline. */
export async function inGoodTime<T>(call: Promise<T>, deadlineMs: number): Promise<T> {
  const settled = new AbortController()
  const late = async (): Promise<never> => {
    await setTimeout(deadlineMs + GRACE_MS, undefined, { signal: settled.signal })
    throw new Error(`A call was pending for ${GRACE_MS} ms after its deadline of ${deadlineMs} ms.`)
  }
  const timer = late()
  // Lost by the timer when the call is in time, which is nobody's error.
  timer.catch(() => {})
  try {
    return await Promise.race([call, timer])
  } finally {
    settled.abort()
  }
}
