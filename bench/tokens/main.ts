/**
 * Token counting beside js-tiktoken, gpt-tokenizer and tiktoken (WASM): throughput, construction, texts without a break,
 * and how late the event loop comes. Run: `npm run bench:tokens`; with `--full`, the runs in cl100k_base as well.
 */
import type { EncodingName } from '../../src/tokens/encodings.ts'
import { parseArguments } from '../harness/arguments.ts'
import { describeMachine } from '../harness/machine.ts'
import { Report } from '../harness/report.ts'
import { reportConstruction } from './construction.ts'
import { findLibraries } from './libraries.ts'
import { RUN_NAMES, type Run } from './runs.ts'
import { reportLateness } from './slices.ts'
import { reportThroughput } from './throughput.ts'
import { reportUnbroken } from './unbroken-report.ts'

interface Plan {
  readonly encodings: readonly EncodingName[]
  readonly rounds: number
  /** Processes that construct each, and counts in slices of each. */
  readonly repeats: number
  readonly runs: readonly Run[]
  readonly sizes: readonly number[]
  readonly capMs: number
}

const SHORT: Plan = {
  encodings: ['o200k_base'],
  rounds: 2,
  repeats: 1,
  runs: ['letter a'],
  sizes: [1_000, 10_000],
  capMs: 1_000,
}
const LONG: Plan = {
  encodings: ['cl100k_base', 'o200k_base'],
  rounds: 15,
  repeats: 3,
  runs: RUN_NAMES,
  sizes: [1_000, 10_000, 100_000, 1_000_000],
  capMs: 2_000,
}

const given = parseArguments()
const plan = given.short ? SHORT : LONG
const { libraries, versions } = findLibraries(given)
const report = new Report('tokens', given, describeMachine(['js-tiktoken'], versions))

await reportThroughput(report, plan.encodings, libraries, plan.rounds)
reportConstruction(report, plan.encodings, libraries, plan.repeats)
await reportLateness(report, plan.encodings, plan.runs, plan.repeats)
await reportUnbroken(report, 'o200k_base', libraries, plan)
if (given.full) await reportUnbroken(report, 'cl100k_base', libraries, plan)
report.write()
