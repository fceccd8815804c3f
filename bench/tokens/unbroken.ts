import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { EncodingName } from '../../src/tokens/encodings.ts'
import type { Library } from './libraries.ts'
import type { Run } from './runs.ts'

/** A run to count, of so many bytes. */
export interface RunToCount {
  readonly run: Run
  readonly bytes: number
}

/** What came of it: the milliseconds that counting took, and how many tokens it gave. */
export interface CountedRun {
  readonly ms: number
  readonly tokens: number
}

/** `late`: not within the time that it was given. `crashed`: its process ended. */
export type Outcome = CountedRun | 'late' | 'crashed'

const SCRIPT = fileURLToPath(new URL('count-runs.ts', import.meta.url))

/**
 * Counts a run of each size, the smallest first, in a process of its own that is killed when it takes longer than `capMs`.
 * A size after one that was too much is not tried: it would take longer.
 */
export async function countUnbroken(
  subject: { readonly library: Library; readonly encoding: EncodingName },
  run: Run,
  sizes: readonly number[],
  capMs: number,
): Promise<Outcome[]> {
  const child = fork(SCRIPT, [subject.library, subject.encoding], {
    // A crash prints its stack, which is no one's concern.
    stdio: ['ignore', 'inherit', 'ignore', 'ipc'],
  })
  const outcomes: Outcome[] = []
  try {
    await answerOf(child)
    for (const bytes of sizes) {
      const before = outcomes.at(-1)
      if (before === 'late' || before === 'crashed') {
        outcomes.push(before)
        continue
      }
      child.send({ run, bytes } satisfies RunToCount)
      outcomes.push(await answerOf(child, capMs))
    }
    return outcomes
  } finally {
    child.kill('SIGKILL')
  }
}

/** The next message of a process, if it comes in time. */
async function answerOf(child: ChildProcess, withinMs = 60_000): Promise<Outcome> {
  const controller = new AbortController()
  const { signal } = controller
  const timer = setTimeout(() => controller.abort(), withinMs)
  try {
    return await Promise.race([
      once(child, 'message', { signal }).then(([message]) => message as CountedRun),
      once(child, 'exit', { signal }).then(() => 'crashed' as const),
    ])
  } catch (error) {
    if (signal.aborted) return 'late'
    throw error
  } finally {
    clearTimeout(timer)
    controller.abort()
  }
}
