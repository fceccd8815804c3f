import { takeTurns, type Call } from '../harness/measure.ts'
import type { Peer, PeerTurn } from './peer.ts'
import type { Tokenizer } from './tokenizer.ts'

/** A peer to be measured. */
export interface Subject {
  readonly peer: Peer
  readonly tokenizer: Tokenizer
  /** False measures its loads alone: to store a turn would take minutes. */
  readonly canChat: boolean
}

/** A conversation under a limit, and the turns that are added to it, one after the other: the same for each peer. */
export interface Chats {
  readonly conversation: string
  readonly limit: number
  readonly turns: readonly PeerTurn[]
}

/** Rounds among those that are not very slow, and more among those that are quick; before them, one of all. */
export interface ChatRounds {
  readonly slow: number
  readonly quick: number
}

/** One chat step, in milliseconds; or where a peer's loads are measured alone, the load. */
export interface Step {
  readonly load: number
  readonly append: number
  /** Texts that were given to a token counter. */
  readonly calls: number
  /** Their characters. */
  readonly characters: number
}

/** Milliseconds of a step at which a peer is no longer quick. */
const QUICK_MS = 150
/** Milliseconds of a step that is taken once: of such a step, what is warmed up is no part. */
const SLOW_MS = 2_000

/**
 * The steps of each peer; they take turns. What is stored stays, so that conversations grow by as many turns. The first
 * step of each warms it up, and is left out where there are others.
 */
export async function measureChats<Name extends string>(
  subjects: Readonly<Record<Name, Subject>>,
  chats: Chats,
  rounds: ChatRounds,
): Promise<Record<Name, readonly Step[]>> {
  const names = Object.keys(subjects) as Name[]
  const steps = Object.fromEntries(names.map((name) => [name, [] as Step[]])) as Record<Name, Step[]>
  const callsOf = (some: readonly Name[]) => {
    const calls = some.map((name) => {
      const call = async () => steps[name].push(await takeStep(subjects[name], chats, steps[name].length))
      return [name, call] as const
    })
    return Object.fromEntries(calls) as Record<Name, Call>
  }
  const times = await takeTurns(callsOf(names), { rounds: 1, warmUp: 0 })
  const quick = names.filter((name) => times[name][0]! < QUICK_MS)
  const slow = names.filter((name) => times[name][0]! >= QUICK_MS && times[name][0]! < SLOW_MS)
  await takeTurns(callsOf([...quick, ...slow]), { rounds: rounds.slow, warmUp: 0 })
  await takeTurns(callsOf(quick), { rounds: rounds.quick, warmUp: 0 })
  for (const name of [...quick, ...slow]) steps[name].shift()
  return steps
}

/** Takes a step with one of the turns. */
export async function takeStep(
  { peer, tokenizer, canChat }: Subject,
  { conversation, limit, turns }: Chats,
  at: number,
): Promise<Step> {
  const { calls, characters } = tokenizer
  const turn = turns[at % turns.length]!
  const start = performance.now()
  let loaded = start
  const whenLoaded = () => {
    loaded = performance.now()
  }
  if (canChat) await peer.chat(conversation, limit, turn, whenLoaded)
  else await peer.load(conversation, limit).then(whenLoaded)
  return {
    load: loaded - start,
    append: performance.now() - loaded,
    calls: tokenizer.calls - calls,
    characters: tokenizer.characters - characters,
  }
}
