import { takeTurns, type Call } from '../harness/measure.ts'
import type { CountedTurn } from '../harness/turns.ts'
import type { Subject } from './subjects.ts'

/** Milliseconds of each call of each subject. */
export type Times = Readonly<Record<string, readonly number[]>>

/** Ways to do the same on one database, by name. */
export interface Contest {
  readonly subjects: Readonly<Record<string, Subject>>
  /** What is appended, in turn: the same to each. */
  readonly pool: readonly CountedTurn[]
  /** Divides the number of rounds; 1 for figures that mean something. */
  readonly haste: number
}

/** A conversation and a limit, and which turns fit it. */
export interface Newest {
  readonly conversationId: string
  readonly limit: number
  /** The position of the first of them, which the floor is told. */
  readonly first: number
  readonly rows: number
}

/** How long each takes to load them. All have to give the same number of turns. */
export function compareLoads(contest: Contest, newest: Newest): Promise<Times> {
  return compare(contest, newest, (subject) => async () => {
    const turns = await subject.load(newest.conversationId, newest.limit, newest.first)
    if (turns.length !== newest.rows)
      throw new Error(`${turns.length} turns were loaded; ${newest.rows} fit.`)
  })
}

/** How long each takes to append a turn. */
export function compareAppends(contest: Contest, newest: Newest): Promise<Times> {
  return compare(contest, newest, (subject) => appending(subject, contest, newest))
}

/** How long a chat step takes each: a load and an append. The floor goes on reading as many rows as at first. */
export function compareSteps(contest: Contest, newest: Newest): Promise<Times> {
  return compare(contest, newest, (subject) => {
    const append = appending(subject, contest, newest)
    let first = newest.first
    return async () => {
      await subject.load(newest.conversationId, newest.limit, first++)
      await append()
    }
  })
}

/** How long a load takes in a short and in a long conversation that end alike. */
export function compareLengths(
  { pool, haste, subjects }: Contest,
  short: Newest,
  long: Newest,
): Promise<Times> {
  const { store } = subjects
  if (!store || short.rows !== long.rows) throw new Error('The two must have the same newest turns.')
  const loads = (newest: Newest) => ({
    ...store,
    load: () => store.load(newest.conversationId, newest.limit, 0),
  })
  return compareLoads({ pool, haste, subjects: { short: loads(short), long: loads(long) } }, long)
}

/** The most rounds, and the most rows that each subject reads in them. */
const MOST = { rounds: 250, rows: 20_000 }

async function compare(
  { subjects, haste }: Contest,
  { rows }: Newest,
  callOf: (subject: Subject) => Call,
): Promise<Times> {
  const calls = Object.entries(subjects).map(([name, subject]) => [name, callOf(subject)] as const)
  const rounds = Math.min(MOST.rounds, Math.ceil(MOST.rows / (rows + 1)))
  return takeTurns(Object.fromEntries(calls), { rounds: Math.ceil(rounds / haste) })
}

function appending(subject: Subject, { pool }: Contest, { conversationId }: Newest): Call {
  let next = 0
  return () => subject.append(conversationId, pool[next++ % pool.length]!)
}
