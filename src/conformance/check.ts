import { randomInt, randomUUID } from 'node:crypto'
import type { ConversationStore } from '../index.ts'
import { Broken, explain } from './expect.ts'
import { ConformanceError } from './failure.ts'
import { randomFrom, type Random } from './random.ts'

/** How a check is run. */
export interface CheckOptions {
  /** What its random input comes from: a whole number from 0 to 4,294,967,295. By default another one each time. */
  readonly seed?: number | undefined
}

/** One promise of a store, and what finds out whether it is kept. */
export interface Check {
  /** The promise. */
  readonly name: string
  /**
   * Works on users of its own, and erases them at the end, also when it fails: it may be run on a database in use.
   *
   * @throws {ConformanceError} when the promise is not kept, or a call fails that should not.
   */
  readonly run: (store: ConversationStore, options?: CheckOptions) => Promise<void>
}

/** What a check is given to work with. */
export interface Trial {
  readonly store: ConversationStore
  readonly random: Random
  /** The id of a user whom no other run knows, and who is forgotten when this one ends. Equal for equal endings. */
  user(ending?: string): string
}

/** A check. @param body throws {@link Broken} when the promise is not kept. */
export function check(name: string, body: (trial: Trial) => Promise<void>): Check {
  return {
    name,
    async run(store, { seed = drawSeed() } = {}) {
      const prefix = `backscroll-conformance-${randomUUID()}-`
      const users = new Set<string>()
      const user = (ending = '') => {
        users.add(prefix + ending)
        return prefix + ending
      }
      const errors: unknown[] = []
      const attempt = (work: () => Promise<unknown>) =>
        work().catch((error: unknown) => void errors.push(error))
      await attempt(() => body({ store, random: randomFrom(seed), user }))
      await attempt(() => forgetAll(store, users, prefix))
      if (errors.length === 0) return
      throw new ConformanceError(`${name}: ${errors.map(reasonOf).join('; ')} (seed ${seed})`, {
        failed: [name],
        seed,
      })
    },
  }
}

/** A seed that was not used before, as far as one can tell. */
export function drawSeed(): number {
  return randomInt(2 ** 32)
}

async function forgetAll(store: ConversationStore, users: Iterable<string>, prefix: string): Promise<void> {
  const failed: unknown[] = []
  for (const user of users) await store.forgetUser(user).catch((error: unknown) => failed.push(error))
  if (failed.length === 0) return
  throw new Broken(
    `forgetUser failed with ${explain(failed[0])}, so that users whose ids begin with ${prefix} may be left behind`,
  )
}

function reasonOf(error: unknown): string {
  return error instanceof Broken ? error.message : `a call failed with ${explain(error)}`
}
