let latest = 0

/**
 * Microseconds since 1970 by the process's clock, of which JavaScript tells whole milliseconds: within one, each call
 * gives one microsecond more than the last, so that what was written later also says so.
 */
export function microseconds(): number {
  const now = Date.now() * 1000
  const next = latest + 1
  latest = next > now && next < now + 1000 ? next : now
  return latest
}
