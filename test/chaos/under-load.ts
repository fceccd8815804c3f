/** Runs until the signal aborts. */
type Load = (signal: AbortSignal) => Promise<unknown>

/**
 * Injects faults while the loads run; stops the loads when all faults are injected, and everything when something
 * fails. Gives what `inject` gives.
 */
export async function underLoad<T>(
  loads: readonly Load[],
  inject: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController()
  const stopped = async (work: Load) => {
    try {
      return await work(stop.signal)
    } catch (error) {
      stop.abort()
      throw error
    }
  }
  const loading = loads.map(stopped)
  const injected = stopped(inject).finally(() => stop.abort()) as Promise<T>
  // All of them, so that nothing runs on into the next scenario, and each error has somebody who looks at it.
  const results = await Promise.allSettled([injected, ...loading])
  for (const result of results) if (result.status === 'rejected') throw result.reason
  return injected
}
