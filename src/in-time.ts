/** What {@link inTime} throws when the time is up. */
export const LATE = Symbol('late')

/**
 * The result, unless the time is up or the signal aborts before it is there. `end` is a time of `performance.now()`;
 * undefined for no end. The work goes on: whoever started it stops it.
 *
 * @throws {LATE} when the time is up, and the signal's reason when it aborts.
 */
export async function inTime<T>(
  result: T | PromiseLike<T>,
  end: number | undefined,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (!isThenable(result)) return result
  let timer: NodeJS.Timeout | undefined
  let abort: (() => void) | undefined
  const interrupted = new Promise<never>((_, reject) => {
    if (end !== undefined) timer = setTimeout(() => reject(LATE), Math.max(0, end - performance.now()))
    abort = () => reject(signal?.reason)
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })
  try {
    // Raced even when it is too late: a result that fails later would else be a rejection that nobody handles.
    return await Promise.race([interrupted, result])
  } finally {
    clearTimeout(timer)
    if (abort) signal?.removeEventListener('abort', abort)
  }
}

/** Whether a value has to be waited for. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && 'then' in value
}
