import { setTimeout } from 'node:timers/promises'
import { appendUnderFaults } from './append-under-faults.ts'
import { progress } from './progress.ts'
import { BrokenPromise, type Scenario } from './scenario.ts'
import { newTarget } from './target.ts'

/** How long the server is down, in milliseconds: several deadlines. */
const DOWN_MS = { short: 2000, full: 10_000 }
const DEADLINE_MS = { short: 500, full: 1000 }
const TURNS_BEFORE_AND_AFTER = 20
const WRITERS = 8

/** The server is away for longer than a call may wait: calls fail in time and say why; then it works by itself again. */
export const serverDown: Scenario = {
  name: 'server-down',
  fault: 'server down for several deadlines',
  async run({ server, size, seed }) {
    const outcome = await appendUnderFaults({
      target: await newTarget(server),
      keyed: 'half',
      writers: WRITERS,
      deadlineMs: DEADLINE_MS[size],
      seed,
      leastFaults: 1,
      async inject(history, signal) {
        await progress(history, TURNS_BEFORE_AND_AFTER, signal)
        await server.stopImmediately()
        await setTimeout(DOWN_MS[size])
        await server.startAgain()
        await progress(history, TURNS_BEFORE_AND_AFTER, signal)
        return 1
      },
    })
    // The call that was under way may be in doubt; of the next ones each writer is told that nothing was written.
    if (outcome.unavailable < WRITERS) {
      throw new BrokenPromise(outcome, [`only ${outcome.unavailable} calls said that the server was down`])
    }
    return outcome
  },
}
