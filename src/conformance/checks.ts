import type { ConversationStore } from '../index.ts'
import { drawSeed, type Check, type CheckOptions } from './check.ts'
import { contentIsKept } from './content.ts'
import { droppingIsExact } from './dropping.ts'
import { ConformanceError } from './failure.ts'
import { keyNamesOneTurn, keyNamesOneTurnForAll } from './idempotency.ts'
import { idsAreExact } from './ids.ts'
import { usersAreApart } from './isolation.ts'
import { onePerPosition, readersSeeAPrefix } from './ordering.ts'
import { pagesAreComplete } from './pages.ts'
import { countsFollowTheRule } from './recounting.ts'
import { turnsStayWhole } from './whole-turns.ts'
import { windowIsExact, windowMovesInSteps } from './window.ts'

/** What a store promises, a check a promise, for any test framework: `for (const { name, run } of CHECKS) it(name, () => run(store))`. */
export const CHECKS: readonly Check[] = [
  windowIsExact,
  windowMovesInSteps,
  turnsStayWhole,
  keyNamesOneTurn,
  keyNamesOneTurnForAll,
  usersAreApart,
  idsAreExact,
  readersSeeAPrefix,
  onePerPosition,
  contentIsKept,
  droppingIsExact,
  pagesAreComplete,
  countsFollowTheRule,
]

/**
 * Runs all {@link CHECKS} on a store, one after the other. They work on users of their own and erase them, so that the
 * store may be one in use; it is written to, some 500 turns in all. The first run in a process takes about a second
 * more, to build js-tiktoken's own encoder.
 *
 * @throws {ConformanceError} that names every check that failed, when all have been run.
 */
export async function checkStore(
  store: ConversationStore,
  { seed = drawSeed() }: CheckOptions = {},
): Promise<void> {
  const failures: ConformanceError[] = []
  for (const { run } of CHECKS) {
    try {
      await run(store, { seed })
    } catch (error) {
      if (!(error instanceof ConformanceError)) throw error
      failures.push(error)
    }
  }
  if (failures.length === 0) return
  const reasons = failures.map(({ message }) => `\n- ${message}`).join('')
  throw new ConformanceError(`${failures.length} of ${CHECKS.length} promises are not kept:${reasons}`, {
    failed: failures.flatMap(({ failed }) => failed),
    seed,
  })
}
