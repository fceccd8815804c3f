import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Note } from '../support/history.ts'
import { oneTo, runSql } from '../support/inspect.ts'
import type { AppenderOptions } from '../support/processes/appender.ts'
import { run, type Program } from '../support/processes/program.ts'
import { randomFrom, type Random } from '../support/texts.ts'
import { progress } from './progress.ts'
import type { Scenario } from './scenario.ts'
import { underLoad } from './under-load.ts'
import { watchUnhandled } from './unhandled.ts'
import { judge, latest } from './verdict.ts'

const KILLS = { short: 3, full: 40 }
/** Processes that are killed, time and again, and processes that go on meanwhile. */
const VICTIMS = 2
const SURVIVORS = 1
/** A victim is killed after so many notes at most: within an append, as like as not. */
const MAX_NOTES = 60
/** Tokens that an appender loads. */
const WINDOW = 400
const DEADLINE_MS = 60_000

/** Processes that write to one SQLite file are killed with SIGKILL, in the midst of what they do; others go on. */
export const killedWriters: Scenario = {
  name: 'killed-writers',
  fault: 'SQLite writer killed (SIGKILL), others go on',
  async run({ size, seed }) {
    const folder = await mkdtemp(join(tmpdir(), 'backscroll-chaos-'))
    using unhandled = watchUnhandled()
    try {
      const database = { name: 'sqlite' as const, url: `sqlite:${join(folder, 'chaos.db')}` }
      const where = { userId: 'ada', conversationIds: ['one', 'two'] }
      const appender: RunAppender = (options) =>
        run('appender', {
          url: database.url,
          ...where,
          window: WINDOW,
          deadlineMs: DEADLINE_MS,
          seed,
          ...options,
        })
      const random = randomFrom(seed)
      const survived: Note[] = []
      const killed: Note[] = []
      const lives: string[] = []
      await underLoad(
        [
          ...oneTo(SURVIVORS).map((number) => survive(`survivor ${number}`, appender, survived)),
          ...oneTo(VICTIMS).map((number) => {
            return beKilled(`victim ${number}`, appender, { keyed: number % 2 === 1, random }, killed, lives)
          }),
        ],
        async (signal) => {
          // After each kill the others store another turn: nobody waits for a lock of the dead.
          for (let seen = -1; seen < KILLS[size] && !signal.aborted;) {
            seen = lives.length
            await progress(survived, 1, signal)
          }
        },
      )
      const [integrity] = await runSql(database, 'pragma integrity_check')
      expect(integrity).toEqual({ integrity_check: 'ok' })
      return await judge({
        database,
        ...where,
        history: [...killed, ...survived],
        faults: lives.length,
        leastFaults: KILLS[size],
        deadlineMs: DEADLINE_MS,
        unhandled: unhandled.errors,
      })
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
}

type RunAppender = (options: Pick<AppenderOptions, 'name' | 'keyed' | 'again'>) => Program

/** Goes on until the signal aborts, and then ends by itself. */
function survive(name: string, appender: RunAppender, notes: Note[]) {
  return async (signal: AbortSignal) => {
    const program = appender({ name, keyed: false, again: [] })
    const end = () => void program.process.stdin?.end()
    signal.addEventListener('abort', end, { once: true })
    try {
      for (let note = await program.next(); note !== undefined; note = await program.next()) {
        notes.push(note as Note)
      }
      if ((await program.exit) !== 0 || !signal.aborted) throw new Error(`${name} ended: ${program.errors}`)
    } finally {
      program.process.kill('SIGKILL')
    }
  }
}

/** Lives and is killed, again and again. With keys, a life begins with what the ones before it had left undone. */
function beKilled(
  name: string,
  appender: RunAppender,
  { keyed, random }: { keyed: boolean; random: Random },
  notes: Note[],
  lives: string[],
) {
  return async (signal: AbortSignal) => {
    let again: AppenderOptions['again'] = []
    for (let life = 1; !signal.aborted; life++) {
      const program = appender({ name: `${name} life ${life}`, keyed, again })
      const noted = await lifeOf(program, MAX_NOTES - random.below(MAX_NOTES), signal)
      notes.push(...noted)
      if (noted.length > 0) lives.push(`${name} life ${life}`)
      if (keyed) again = [...again, ...undone(noted)].filter(([, content]) => !isStored(notes, content))
    }
  }
}

/** What a program notes until it is killed: after so many notes, or when the signal aborts. */
async function lifeOf(program: Program, most: number, signal: AbortSignal): Promise<Note[]> {
  const kill = () => void program.process.kill('SIGKILL')
  signal.addEventListener('abort', kill, { once: true })
  const notes: Note[] = []
  for (let note = await program.next(); note !== undefined; note = await program.next()) {
    if (notes.push(note as Note) === most) kill()
  }
  signal.removeEventListener('abort', kill)
  if ((await program.exit) !== 'SIGKILL') throw new Error(`A writer ended by itself: ${program.errors}`)
  return notes
}

/** The appends that were under way when their process was killed. */
function undone(notes: readonly Note[]): (readonly [conversationId: string, content: string])[] {
  return latest(notes).flatMap((note) =>
    note.call === 'append' && note.ended === undefined ? [[note.conversationId, note.content] as const] : [],
  )
}

function isStored(history: readonly Note[], content: string): boolean {
  return history.some(
    (note) => note.call === 'append' && note.content === content && note.outcome === 'stored',
  )
}
