import { expect } from 'vitest'
import type { Conversation } from '../../src/index.ts'
import { checkHistory, type AppendCall, type Note } from '../support/history.ts'
import { expectConsistent } from '../support/inspect.ts'
import { randomFrom } from '../support/texts.ts'
import { killBackends } from './backends.ts'
import { runClients } from './clients.ts'
import { checkDrops, drop, repeatedly, type Drop } from './drops.ts'
import { inGoodTime } from './in-good-time.ts'
import type { Outcome, Scenario, Surroundings } from './scenario.ts'
import { newTarget, openOn } from './target.ts'
import { underLoad } from './under-load.ts'
import { watchUnhandled } from './unhandled.ts'
import { latest, outcomeOf } from './verdict.ts'

const FAULTS = { short: 60, full: 1000 }
const EVERY_MS = 15
const DEADLINE_MS = 5000
/** Calls that work through a whole conversation may take thirty times as long. */
const LONG_DEADLINE_MS = 30 * DEADLINE_MS
/** Between two calls that drop turns, or count them anew, in milliseconds. */
const PAUSE_MS = 40

/** Between which it is counted to and fro. */
const ENCODINGS = ['cl100k_base', 'o200k_base'] as const

const REWOUND = { userId: 'ada', conversationId: 'rewound' }
const RECOUNTED = { userId: 'ada', conversationId: 'recounted' }
const FORGOTTEN = { userId: 'bob', conversationId: 'forgotten' }

/** Backends are ended while one conversation is rewound, one counted anew, and the user of one forgotten. */
export const droppedUnderKills: Scenario = {
  name: 'killed-backends-while-dropping',
  fault: 'backend terminated, during rewind, recount and forgetUser',
  run: dropUnderKills,
}

async function dropUnderKills({ server, size, seed }: Surroundings): Promise<Outcome> {
  const target = await newTarget(server)
  using unhandled = watchUnhandled()
  const { store, close } = await openOn(target, { deadlineMs: DEADLINE_MS })
  const history: Note[] = []
  const rewinds: Drop[] = []
  const erasures: Drop[] = []
  const recounts: Drop[] = []

  const clientsOf = (conversation: Conversation, writers: number) => (signal: AbortSignal) => {
    const { conversationId } = conversation
    const options = { open: () => conversation, conversationIds: [conversationId], writers, readers: 1 }
    const deadlineMs = LONG_DEADLINE_MS
    return runClients({ ...options, keyed: 'half', deadlineMs, seed }, history, signal)
  }
  const inTime = (to: number, call: () => Promise<unknown>) => inGoodTime(drop(to, call), LONG_DEADLINE_MS)
  const rewound = store.conversation(REWOUND)
  const rewind = async () => {
    const to = Math.max(0, lastPosition(history, REWOUND.conversationId) - 5)
    rewinds.push(await inTime(to, () => rewound.rewind({ to })))
  }
  const forget = async () => void erasures.push(await inTime(0, () => store.forgetUser(FORGOTTEN.userId)))
  // One object for all, so that they go over to another encoding together.
  const recounted = store.conversation(RECOUNTED)
  const recount = async () => {
    const encoding = ENCODINGS[recounts.length % ENCODINGS.length]
    // Nothing is after that position: it drops no turn.
    recounts.push(await inTime(Infinity, () => recounted.recount({ encoding })))
  }
  const kills = { faults: FAULTS[size], everyMs: EVERY_MS, random: randomFrom(seed) }
  const faults = await underLoad(
    [
      clientsOf(rewound, 6),
      clientsOf(store.conversation(FORGOTTEN), 6),
      clientsOf(recounted, 2),
      (signal) => repeatedly(PAUSE_MS, signal, rewind),
      (signal) => repeatedly(PAUSE_MS, signal, forget),
      (signal) => repeatedly(PAUSE_MS, signal, recount),
    ],
    (signal) => killBackends(server, target, kills, signal),
  )
  const counted = await expectConsistent(target, RECOUNTED)
  // By whatever rule was recorded last, every count is what counting by it gives.
  await store.conversation({ ...RECOUNTED, ...(await recounted.countedAs()) }).recount()
  expect(await expectConsistent(target, RECOUNTED)).toEqual(counted)
  await close()

  const of = ({ conversationId }: { conversationId: string }) =>
    latest(history).filter((note) => note.conversationId === conversationId)
  const appends = (key: { conversationId: string }) =>
    of(key).filter((note): note is AppendCall => note.call === 'append')
  const found = [
    ...checkDrops('rewound', appends(REWOUND), rewinds, await expectConsistent(target, REWOUND)),
    ...checkDrops('forgotten', appends(FORGOTTEN), erasures, await expectConsistent(target, FORGOTTEN)),
    ...checkHistory(of(RECOUNTED), new Map([[RECOUNTED.conversationId, counted]])),
  ]
  const outcome = outcomeOf(
    { history, faults, leastFaults: FAULTS[size], deadlineMs: LONG_DEADLINE_MS, unhandled: unhandled.errors },
    found,
  )
  return { ...outcome, calls: outcome.calls + [rewinds, erasures, recounts].flat().length }
}

/** The highest position of a conversation that was acknowledged so far. */
function lastPosition(history: readonly Note[], conversationId: string): number {
  for (let index = history.length - 1; index >= 0; index--) {
    const note = history[index]!
    if (note.conversationId === conversationId && note.call === 'append' && note.position)
      return note.position
  }
  return 0
}
