import { checkHistory, tally, type Anomaly, type Note } from '../support/history.ts'
import { expectConsistent, type StoredRow } from '../support/inspect.ts'
import type { TestDatabase } from '../support/databases.ts'
import { BrokenPromise, type Outcome } from './scenario.ts'

/** What was done to a database, by clients that only append and load. */
export interface Recorded {
  readonly database: Pick<TestDatabase, 'name' | 'url'>
  readonly userId: string
  readonly conversationIds: readonly string[]
  readonly history: readonly Note[]
  readonly faults: number
  /** Fewer faults than these show nothing. */
  readonly leastFaults: number
  readonly deadlineMs: number
  readonly unhandled: readonly unknown[]
}

/** The errors that a fault may lead to. Any other is one of ours; a load never leaves a doubt. */
const EXPECTED = { append: ['DATABASE_UNAVAILABLE', 'OUTCOME_UNKNOWN'], load: ['DATABASE_UNAVAILABLE'] }

/** Holds a history of appends and loads against the database as it is now. @throws {BrokenPromise} */
export async function judge(recorded: Recorded): Promise<Outcome> {
  return outcomeOf(recorded, checkHistory(recorded.history, await turnsAtTheEnd(recorded)))
}

/** The numbers of what was done, when nothing was `found` that breaks a promise. @throws {BrokenPromise} */
export function outcomeOf(
  {
    history,
    deadlineMs,
    faults,
    leastFaults,
    unhandled,
  }: Omit<Recorded, 'database' | 'userId' | 'conversationIds'>,
  found: readonly Anomaly[],
): Outcome {
  const calls = latest(history)
  const { stored, unknown } = tally(history)
  const outcome: Outcome = {
    faults,
    calls: calls.length,
    acknowledged: stored,
    unknown,
    unavailable: calls.filter(({ code }) => code === 'DATABASE_UNAVAILABLE').length,
    lost: count(found, 'lost', 'moved'),
    doubled: count(found, 'doubled', 'shared'),
    gaps: count(found, 'gap'),
    worstMs: worst(calls),
    deadlineMs,
    unhandled: unhandled.length,
  }
  const unexpected = calls.filter(({ call, code }) => code !== undefined && !EXPECTED[call].includes(code))
  const broken = [
    ...found.map(({ kind, conversationId, what }) => `${kind} in ${conversationId}: ${what}`),
    ...unexpected.map(({ call, code }) => `${call} failed with ${code}`),
    ...unhandled.map((error) => `unhandled: ${String(error)}`),
    ...(faults < leastFaults ? [`only ${faults} of ${leastFaults} faults were injected`] : []),
    ...(stored === 0 ? ['nothing was acknowledged'] : []),
  ]
  if (broken.length > 0) throw new BrokenPromise(outcome, broken)
  return outcome
}

/** What was noted last of each call: how it ended, unless its process was killed. */
export function latest(history: readonly Note[]): Note[] {
  return [...new Map(history.map((note) => [note.id, note])).values()]
}

async function turnsAtTheEnd({ database, userId, conversationIds }: Recorded) {
  const end = new Map<string, StoredRow[]>()
  for (const conversationId of conversationIds) {
    end.set(conversationId, await expectConsistent(database, { userId, conversationId }))
  }
  return end
}

function count(found: readonly Anomaly[], ...kinds: readonly Anomaly['kind'][]): number {
  return found.filter(({ kind }) => kinds.includes(kind)).length
}

/** Milliseconds of the longest call; those of killed processes never ended. */
function worst(calls: readonly Note[]): number {
  const took = calls.map(({ started, ended = started }) => (ended - started) / 1e6)
  return Math.round(took.reduce((most, ms) => Math.max(most, ms), 0))
}
