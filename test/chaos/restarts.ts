import { setTimeout } from 'node:timers/promises'
import { oneTo } from '../support/inspect.ts'
import { randomFrom } from '../support/texts.ts'
import { appendUnderFaults } from './append-under-faults.ts'
import { progress } from './progress.ts'
import type { Scenario } from './scenario.ts'
import { newTarget } from './target.ts'

/** How often the server goes down. */
const RESTARTS = { stopImmediately: { short: 4, full: 10 }, crash: { short: 2, full: 10 } }
/** Turns that are acknowledged between two of them. */
const TURNS_BETWEEN = { short: 20, full: 300 }
/** The longest that it is down, in milliseconds; then it has to recover. */
const MAX_DOWN_MS = 300

/** The server goes down in this way and comes up again, time after time, while clients append and load. */
export function restarts(goDown: 'stopImmediately' | 'crash'): Scenario {
  return {
    name: goDown === 'crash' ? 'server-crashes' : 'immediate-stops',
    fault: goDown === 'crash' ? 'every server process killed (SIGKILL)' : 'server stopped (immediate)',
    async run({ server, size, seed }) {
      const random = randomFrom(seed)
      return appendUnderFaults({
        target: await newTarget(server),
        keyed: 'half',
        writers: 16,
        deadlineMs: 10_000,
        seed,
        leastFaults: RESTARTS[goDown][size],
        async inject(history, signal) {
          for (const _ of oneTo(RESTARTS[goDown][size])) {
            await progress(history, TURNS_BETWEEN[size], signal)
            await server[goDown]()
            await setTimeout(random.below(MAX_DOWN_MS))
            await server.startAgain()
          }
          // The same store goes on by itself.
          await progress(history, TURNS_BETWEEN[size], signal)
          return RESTARTS[goDown][size]
        },
      })
    },
  }
}
