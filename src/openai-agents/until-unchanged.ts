import { MessagesConflictError } from '../errors.ts'
import { untilSettled } from '../store/restart.ts'

/** Makes a change that is worked out from what is stored, and makes it anew where others changed that meanwhile. */
export async function untilUnchanged<T>(change: () => Promise<T>): Promise<T> {
  const { result } = await untilSettled(async () => {
    try {
      return { result: await change() }
    } catch (error) {
      if (error instanceof MessagesConflictError) return undefined
      throw error
    }
  })
  return result
}
