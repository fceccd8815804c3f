/**
 * A chat app's process: clients that take a chat step after the other, through the store. Run by processes.ts, to which it
 * tells each second what happened in it, and keeps none of that itself: its memory is the app's.
 */
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { BackscrollError, openStore } from 'backscroll'
import { watchLateness } from '../harness/lateness.ts'
import { randomFrom } from '../harness/texts.ts'
import { variedTurns } from '../harness/turns.ts'
import { Population, type PopulationSize } from './population.ts'

/** What an app is told. */
export interface AppOptions {
  /** What its idempotency keys begin with. No other app on the same database may have it. */
  readonly name: string
  readonly url: string
  readonly clients: number
  /** How long it works. */
  readonly seconds: number
  /** Tokens of the window that a step loads. */
  readonly maxTokens: number
  readonly size: PopulationSize
  readonly seed: number
}

/** What happened in one second. */
export interface Second {
  /** How long it was, in milliseconds: longer or shorter where the event loop was late. */
  readonly took: number
  /** Milliseconds of each load and of each append, by the step that ended in it. */
  readonly loads: readonly number[]
  readonly appends: readonly number[]
  /** Turns in the windows that were loaded. */
  readonly loadedTurns: number
  readonly acknowledged: readonly Acknowledged[]
  /** How many steps failed, by the error's code. */
  readonly errors: Readonly<Record<string, number>>
  /** How late the event loop was at most in each tenth of it, in milliseconds. */
  readonly lateness: readonly number[]
  /** Resident memory at its end, in bytes. */
  readonly rss: number
}

/** A turn that the store said was stored: the conversation's rank, the idempotency key, and the position it was given. */
export type Acknowledged = readonly [rank: number, key: string, position: number]

const TENTH_MS = 100

const { name, url, clients, seconds, maxTokens, size, seed } = JSON.parse(process.argv[2]!) as AppOptions
const population = new Population(size)
const turns = await variedTurns()
const random = randomFrom(seed)
await using store = await openStore(url)

process.send!('ready')
await once(process, 'message')
const end = performance.now() + seconds * 1000
let now = newSecond()
let working = clients
await Promise.all([tellEachSecond(), ...Array.from({ length: clients }, (_, client) => work(client))])

function newSecond() {
  return {
    loads: [] as number[],
    appends: [] as number[],
    loadedTurns: 0,
    acknowledged: [] as Acknowledged[],
    errors: {} as Record<string, number>,
  }
}

async function work(client: number): Promise<void> {
  for (let step = 0; performance.now() < end; step++) {
    try {
      await takeStep(`${name}-${client}-${step}`)
    } catch (error) {
      if (!(error instanceof BackscrollError)) throw error
      // An app would tell the person who waits; here it is counted, and the report shows it.
      now.errors[error.code] = (now.errors[error.code] ?? 0) + 1
    }
  }
  working--
}

async function takeStep(idempotencyKey: string): Promise<void> {
  const rank = population.pick(random)
  const { messages } = turns[Math.floor(random() * turns.length)]!
  const conversation = store.conversation(population.keyOf(rank))
  const start = performance.now()
  const window = await conversation.loadWindow({ maxTokens })
  const loaded = performance.now()
  const { position } = await conversation.append(messages, { idempotencyKey })
  now.loads.push(loaded - start)
  now.appends.push(performance.now() - loaded)
  now.loadedTurns += window.turns.length
  now.acknowledged.push([rank, idempotencyKey, position])
}

/** Until after the last client's last step. By the clock, so that the seconds of several processes are the same ones. */
async function tellEachSecond(): Promise<void> {
  const late = watchLateness()
  const begin = performance.now()
  let told = begin
  for (let tenths = 0, isLast = false; !isLast;) {
    const lateness: number[] = []
    do {
      await setTimeout(Math.max(1, begin + ++tenths * TENTH_MS - performance.now()))
      lateness.push(late.latest())
    } while (tenths % 10 !== 0)
    isLast = working === 0
    const took = performance.now() - told
    told += took
    process.send!({ ...now, took, lateness, rss: process.memoryUsage.rss() } satisfies Second)
    now = newSecond()
  }
  late.stop()
}
