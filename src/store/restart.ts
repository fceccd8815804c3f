import { DatabaseUnavailableError } from '../errors.ts'

/** How often a call starts anew because others changed the conversation at the same moment, before it gives up. */
const MAX_STARTS = 100

/** Starts `attempt` until it gives a result; undefined means that others changed what it relied on. */
export async function untilSettled<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (let starts = 0; starts < MAX_STARTS; starts++) {
    const result = await attempt()
    if (result !== undefined) return result
  }
  throw gaveUp()
}

/** The same for work that is done at once. */
export function untilSettledNow<T>(attempt: () => T | undefined): T {
  for (let starts = 0; starts < MAX_STARTS; starts++) {
    const result = attempt()
    if (result !== undefined) return result
  }
  throw gaveUp()
}

function gaveUp(): DatabaseUnavailableError {
  return new DatabaseUnavailableError(
    `Others changed this conversation during each of ${MAX_STARTS} tries. Nothing was written; try again.`,
  )
}
