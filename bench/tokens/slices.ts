import { setTimeout } from 'node:timers/promises'
import { loadEncoder } from '../../dist/tokens/encoder.js'
import type { EncodingName } from '../../src/tokens/encodings.ts'
import { inSlices } from '../../dist/tokens/steps.js'
import { watchLateness } from '../harness/lateness.ts'
import type { Report } from '../harness/report.ts'
import { charactersOf, runOf, type Run } from './runs.ts'

/** The longest turn by default, in characters. */
const LONGEST_TURN = 1_000_000
const MEGABYTE = 1_000_000

/** How late the event loop comes while this library counts, in slices, what is as long as a turn may be. */
export async function reportLateness(
  report: Report,
  encodings: readonly EncodingName[],
  runs: readonly Run[],
  rounds: number,
): Promise<void> {
  const rows = []
  for (const encoding of encodings) {
    for (const run of runs) {
      const megabyte = await countInSlices(encoding, runOf(run, charactersOf(run, MEGABYTE)), rounds)
      const longest = await countInSlices(encoding, runOf(run, LONGEST_TURN), rounds)
      rows.push({
        encoding,
        run,
        '1 MB, ms': megabyte.ms,
        'late ms': megabyte.lateMs,
        '1 million characters, ms': longest.ms,
        'late by ms': longest.lateMs,
      })
    }
  }
  report.table(`Counting in slices by backscroll, the worst of ${rounds} each`, rows)
}

async function countInSlices(encoding: EncodingName, text: string, rounds: number) {
  const encoder = await loadEncoder(encoding)
  const worst = { ms: 0, lateMs: 0 }
  for (let round = 0; round < rounds; round++) {
    // What the round before left behind is collected before this one is watched.
    globalThis.gc?.()
    await setTimeout(10)
    const lateness = watchLateness()
    const start = performance.now()
    await inSlices(encoder.count(text))
    const ms = performance.now() - start
    await setTimeout(2)
    const lateMs = lateness.latest()
    lateness.stop()
    worst.ms = Math.max(worst.ms, ms)
    worst.lateMs = Math.max(worst.lateMs, lateMs)
  }
  return worst
}
