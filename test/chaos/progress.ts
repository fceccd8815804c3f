import { setTimeout } from 'node:timers/promises'
import { tally, type Note } from '../support/history.ts'

/** How long a store may take to go on after a fault, in milliseconds: more than any deadline here. */
const MAX_PAUSE_MS = 60_000

/** Waits until so many more turns were acknowledged. Fails when the store does not go on. */
export async function progress(history: readonly Note[], turns: number, signal: AbortSignal): Promise<void> {
  let seen = history.length
  let stored = 0
  let end = performance.now() + MAX_PAUSE_MS
  while (stored < turns && !signal.aborted) {
    await setTimeout(5)
    const news = tally(history.slice(seen)).stored
    if (news > 0) end = performance.now() + MAX_PAUSE_MS
    if (performance.now() > end) throw new Error(`Nothing was acknowledged for ${MAX_PAUSE_MS} ms.`)
    seen = history.length
    stored += news
  }
}
