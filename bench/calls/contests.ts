import { ratioOf, spread } from '../harness/measure.ts'
import type { Cell } from '../harness/report.ts'
import { compareAppends, compareLengths, compareLoads, compareSteps } from './compare.ts'
import type { Contest, Newest, Times } from './compare.ts'
import type { Goals } from './goals.ts'

/** Limits in tokens: a short memory, a usual one, and the whole context of a model. */
const LIMITS = [2000, 8000, 128_000]
/** The conversation with which the longest is compared: the shortest in which a window of 128,000 tokens does not hold all. */
const SHORT = 1000

/** Rows of a table. */
type Rows = Record<string, Cell>[]

/** What was found on a database. */
export interface Found {
  readonly loads: Rows
  readonly appends: Rows
  readonly steps: Rows
  readonly lengths: Rows
}

/** The goals: ratios of medians. Source: what users were promised when the project began. */
const MOST = {
  SQLite: { append: 1.2, load: (limit: number) => (limit >= 8000 ? 1.5 : 1.7) },
  Postgres: { append: 1.5, load: (limit: number) => (limit >= 8000 ? 1.3 : 1.5) },
  lengths: 1.2,
}

/** A database by its name, and conversations on it: their ids by their numbers of turns. */
export interface Place {
  readonly database: 'SQLite' | 'Postgres'
  readonly conversations: ReadonlyMap<number, string>
}

/** Runs all contests on one database, the loads first: appending changes what is loaded. */
export async function runContests(
  { database, conversations }: Place,
  contest: Contest,
  goals: Goals,
): Promise<Found> {
  const found: Found = { loads: [], appends: [], steps: [], lengths: [] }
  const most = MOST[database]
  for (const [turns, conversationId] of conversations) {
    for (const limit of LIMITS) {
      const newest = await newestOf(contest, conversationId, limit)
      const times = await compareLoads(contest, newest)
      found.loads.push(rowOf({ database, turns, limit, rows: newest.rows }, times))
      const goal = `load on ${database}, limit ${limit >= 8000 ? '8,000 and more' : '2,000'}`
      goals.note(goal, most.load(limit), times, ['store', 'floor'])
    }
  }
  const [longestTurns, longest] = [...conversations].at(-1)!
  for (const limit of LIMITS) {
    const short = await newestOf(contest, conversations.get(SHORT)!, limit)
    const long = await newestOf(contest, longest, limit)
    const times = await compareLengths(contest, short, long)
    const [at, after] = [spread(times['short']!).median, spread(times['long']!).median]
    const ratio = ratioOf(times['long']!, times['short']!)
    found.lengths.push({
      database,
      limit,
      rows: long.rows,
      [`${SHORT} turns, ms`]: at,
      'the longest, ms': after,
      turns: longestTurns,
      ratio,
    })
    goals.note(`load on ${database}, the longest against ${SHORT} turns`, MOST.lengths, times, [
      'long',
      'short',
    ])
  }
  for (const [turns, conversationId] of conversations) {
    const appends = await compareAppends(contest, await newestOf(contest, conversationId, 0))
    found.appends.push(rowOf({ database, turns }, appends))
    goals.note(`append on ${database}`, most.append, appends, ['store', 'floor'])
    for (const limit of LIMITS) {
      const newest = await newestOf(contest, conversationId, limit)
      const steps = await compareSteps(contest, newest)
      found.steps.push(rowOf({ database, turns, limit, rows: newest.rows }, steps))
    }
  }
  return found
}

/** Which turns fit a limit, as the store says. */
async function newestOf({ subjects }: Contest, conversationId: string, limit: number): Promise<Newest> {
  const turns = await subjects['store']!.load(conversationId, limit, 0)
  return { conversationId, limit, first: turns[0]?.position ?? 0, rows: turns.length }
}

/** The floor and the store, in milliseconds, and how often the floor's median goes into that of each. */
function rowOf(about: Record<string, Cell>, times: Times): Rows[number] {
  const { floor = [], store = [], ...others } = times
  const ratios = Object.entries(others).map(
    ([name, figures]) => [`${name} ×`, ratioOf(figures, floor)] as const,
  )
  return {
    ...about,
    ...columnsOf('floor', floor),
    ...columnsOf('store', store),
    'store ×': ratioOf(store, floor),
    ...Object.fromEntries(ratios),
  }
}

function columnsOf(subject: string, figures: readonly number[]): Record<string, number> {
  const { median, p95, p99 } = spread(figures)
  return { [`${subject} ms`]: median, [`${subject} p95`]: p95, [`${subject} p99`]: p99 }
}
