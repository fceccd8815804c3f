/** The last millisecond whose microseconds are a safe integer, in the year 2255: a list's cursor holds no later time. */
const LAST_MS = Math.floor(Number.MAX_SAFE_INTEGER / 1000) - 1

let latest = 0

/**
 * Microseconds since 1970 by the process's clock, of which JavaScript tells whole milliseconds: within one, each call
 * gives one microsecond more than the last, so that what was written later also says so.
 */
export function microseconds(): number {
  // Nor an earlier one than 1970: a clock that says so would leave conversations out of lists.
  const now = Math.min(Math.max(Date.now(), 0), LAST_MS) * 1000
  const next = latest + 1
  latest = next > now && next < now + 1000 ? next : now
  return latest
}

/** The time that such microseconds stand for, to the millisecond. */
export function toDate(stored: unknown): Date {
  return new Date(Math.floor(Number(stored) / 1000))
}
