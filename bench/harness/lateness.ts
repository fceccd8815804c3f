/** How late the event loop came to a timer that was due, in milliseconds. */
export interface Lateness {
  /** The latest since it was started, or last asked. */
  latest(): number
  stop(): void
}

/** Milliseconds between two looks: the finest that a timer has. */
const EVERY_MS = 1

/** Watches the event loop by a timer of 1 ms. */
export function watchLateness(): Lateness {
  let last = performance.now()
  let latest = 0
  const look = () => {
    const now = performance.now()
    latest = Math.max(latest, now - last - EVERY_MS)
    last = now
  }
  const timer = setInterval(look, EVERY_MS)
  return {
    latest() {
      look()
      const result = latest
      latest = 0
      return result
    },
    stop: () => clearInterval(timer),
  }
}
