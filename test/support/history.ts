// Histories in the style of Jepsen's list-append: what clients asked and were told, held against what is there at the
// end. Contents are unique in their conversation, so that each turn that is seen tells which append stored it.

/** A turn as it is told apart: its place, and the text of its question. The rows of `expectConsistent` are such. */
export interface Placed {
  readonly position: number
  readonly content: string
}

interface Call {
  /** Unique in the history. What is noted later under it replaces what was noted before. */
  readonly id: string
  readonly conversationId: string
  /** By one clock for all clients, in any unit. */
  readonly started: number
  /** Absent while the call is under way: for ever, when its client was killed. */
  readonly ended?: number
  /** The code of the error that it ended with. */
  readonly code?: string
}

/**
 * An append. `refused` says that nothing was written, `unknown` that the turn may be there, or come later. The same
 * content may be appended again under its idempotency key.
 */
export interface AppendCall extends Call {
  readonly call: 'append'
  readonly content: string
  readonly outcome: 'stored' | 'refused' | 'unknown'
  /** Where it was stored. */
  readonly position?: number
}

/** A load of the newest turns, up to the last one that there was. */
export interface LoadCall extends Call {
  readonly call: 'load'
  /** Absent where it failed. */
  readonly turns?: readonly Placed[]
  /** Older turns that the load left out. */
  readonly omitted: number
}

/** What a client notes: an append when it starts, and every call when it has ended. Survives JSON. */
export type Note = AppendCall | LoadCall

/**
 * What a correct store never shows.
 *
 * At the end: `lost` (an acknowledged turn is not there), `moved` (it is at another position than was acknowledged),
 * `shared` (one position was acknowledged to two turns), `doubled` (a turn is there twice), `ghost` (a turn is there
 * that no call asked for), `denied` (a turn is there, and each call of it was told that nothing was written), `gap`
 * (positions are not 1, 2, 3 …).
 *
 * In a load: `fork` (its turns are not those of the end, from the oldest or where it left off).
 *
 * Of two calls, where one had ended before the other started: `stale` (then a load without a turn that had been
 * acknowledged), `back` (a load of fewer turns than one before), `overtaken` (a turn that stands before one that had
 * been acknowledged), `foreseen` (a turn that a load had shown before it was appended).
 */
type AnomalyKind =
  | ('lost' | 'moved' | 'shared' | 'doubled' | 'ghost' | 'denied' | 'gap')
  | 'fork'
  | ('stale' | 'back' | 'overtaken' | 'foreseen')

/** Something in a history that no correct store shows. */
export interface Anomaly {
  readonly kind: AnomalyKind
  readonly conversationId: string
  /** Which calls, contents and positions. */
  readonly what: string
}

/**
 * Finds what is wrong with a history of appends and loads. An empty list says that it is linearizable: each call took
 * effect at one moment between its start and its end.
 *
 * Conversations are looked at one by one: a store is linearizable when each of its objects is. In each, the turns at
 * the end give the only order that there can be, so that nothing has to be searched, and the cost is that of sorting.
 *
 * @param history the notes of all clients, in any order but each client's own. No turn may have been dropped meanwhile.
 * @param end the turns of each conversation by its id, in order, read when no call was under way any more.
 */
export function checkHistory(
  history: Iterable<Note>,
  end: ReadonlyMap<string, readonly Placed[]>,
): Anomaly[] {
  const calls = groupBy(latest(history), ({ conversationId }) => conversationId)
  const conversations = new Set([...calls.keys(), ...end.keys()])
  return [...conversations].flatMap((conversationId) =>
    [...anomaliesIn(calls.get(conversationId) ?? [], end.get(conversationId) ?? [])].map(
      ([kind, what]): Anomaly => ({ kind, conversationId, what }),
    ),
  )
}

/** How many calls there were, by what came of them: so that a test can say that it saw anything at all. */
export function tally(history: Iterable<Note>) {
  const { appends, loads } = split(latest(history))
  const outcomes = (wanted: AppendCall['outcome']) => appends.filter(({ outcome }) => outcome === wanted)
  return {
    stored: outcomes('stored').length,
    refused: outcomes('refused').length,
    unknown: outcomes('unknown').length,
    loads: loads.filter(({ turns }) => turns).length,
    failedLoads: loads.filter(({ turns }) => !turns).length,
  }
}

type Found = Generator<readonly [AnomalyKind, string]>

function latest(history: Iterable<Note>): Note[] {
  return [...new Map([...history].map((note) => [note.id, note])).values()]
}

function split(calls: readonly Note[]): { appends: AppendCall[]; loads: LoadCall[] } {
  return {
    appends: calls.filter((call) => call.call === 'append'),
    loads: calls.filter((call) => call.call === 'load'),
  }
}

function* anomaliesIn(calls: readonly Note[], end: readonly Placed[]): Found {
  const { appends, loads } = split(calls)
  yield* inTheEnd(appends, end)
  const prefixes: LoadCall[] = []
  for (const load of loads.filter(({ turns }) => turns)) {
    const isRun = load.turns!.every((turn, at) => isSame(turn, end[load.omitted + at]))
    if (isRun && sizeOf(load) <= end.length) prefixes.push(load)
    else yield ['fork', `${load.id}: ${load.omitted} turns and ${load.turns!.length} that it shows`]
  }
  yield* inTime(appends, prefixes, end)
}

function isSame(one: Placed, other: Placed | undefined): boolean {
  return one.position === other?.position && one.content === other.content
}

/** How many turns the conversation had when it was loaded. */
function sizeOf({ omitted, turns = [] }: LoadCall): number {
  return omitted + turns.length
}

function* inTheEnd(appends: readonly AppendCall[], end: readonly Placed[]): Found {
  const calls = groupBy(appends, ({ content }) => content)
  const places = groupBy(end, ({ content }) => content)
  const gap = end.findIndex(({ position }, at) => position !== at + 1)
  if (gap >= 0) yield ['gap', `turn ${gap + 1} is at position ${end[gap]!.position}`]
  for (const [content, turns] of places) {
    const positions = turns.map(({ position }) => position).join(', ')
    if (turns.length > 1) yield ['doubled', `${content}: positions ${positions}`]
    const asked = calls.get(content)
    if (!asked) yield ['ghost', `${content}: position ${positions}`]
    else if (asked.every(({ outcome }) => outcome === 'refused')) yield ['denied', `${content}: ${positions}`]
  }
  const owners = new Map<number, string>()
  for (const { id, content, position = 0 } of appends.filter(({ outcome }) => outcome === 'stored')) {
    const turns = places.get(content)
    if (!turns) yield ['lost', `${id}: ${content}, position ${position}`]
    else if (!turns.some((turn) => turn.position === position)) {
      yield ['moved', `${id}: ${content}, from position ${position} to ${turns[0]!.position}`]
    }
    const owner = owners.get(position) ?? content
    if (owner !== content) yield ['shared', `${id}: ${content} and ${owner}, position ${position}`]
    owners.set(position, owner)
  }
}

/** A moment at which a call starts or has ended. `turns`: how many there were, its own included, when it took effect. */
interface Moment {
  readonly at: number
  readonly is: 'start' | 'end'
  readonly call: Note['call']
  readonly id: string
  readonly turns: number
}

/**
 * Goes through the moments in order, and remembers the most turns that an ended append or load proves. A call that
 * starts later must not have taken effect when there were fewer.
 */
function* inTime(appends: readonly AppendCall[], loads: readonly LoadCall[], end: readonly Placed[]): Found {
  const proven: Partial<Record<Note['call'], Moment>> = {}
  const moments = [...momentsOfAppends(appends, end), ...loads.flatMap(momentsOfLoad)]
  // Of two at the same time, the start first: neither call can be said to come before the other.
  moments.sort((one, other) => one.at - other.at || (one.is === other.is ? 0 : one.is === 'start' ? -1 : 1))
  for (const moment of moments) {
    const { call, id, turns } = moment
    if (moment.is === 'end') {
      if (turns > (proven[call]?.turns ?? 0)) proven[call] = moment
      continue
    }
    const { append, load } = proven
    if (append && append.turns > turns) {
      yield [
        call === 'load' ? 'stale' : 'overtaken',
        `${id}: turn ${turns}, after ${append.id}: ${append.turns}`,
      ]
    }
    // An append changes what there is: a load that shows its turn has to come after it.
    if (load && load.turns > (call === 'load' ? turns : turns - 1)) {
      yield [call === 'load' ? 'back' : 'foreseen', `${id}: turn ${turns}, after ${load.id}: ${load.turns}`]
    }
  }
}

/** A turn's append starts with the first call that may have stored it, and has ended with each that was acknowledged. */
function momentsOfAppends(appends: readonly AppendCall[], end: readonly Placed[]): Moment[] {
  const places = new Map(end.map(({ content }, at) => [content, at + 1]))
  const stored = appends.filter(({ content, outcome }) => outcome !== 'refused' && places.has(content))
  return [...groupBy(stored, ({ content }) => content)].flatMap(([content, calls]) => {
    const turns = places.get(content)!
    const first = calls.reduce((one, other) => (other.started < one.started ? other : one))
    const start: Moment = { at: first.started, is: 'start', call: 'append', id: first.id, turns }
    return [start, ...calls.filter(({ outcome }) => outcome === 'stored').map((call) => endOf(call, turns))]
  })
}

function momentsOfLoad(load: LoadCall): Moment[] {
  const turns = sizeOf(load)
  return [{ at: load.started, is: 'start', call: 'load', id: load.id, turns }, endOf(load, turns)]
}

function endOf({ call, id, ended = Number.POSITIVE_INFINITY }: Note, turns: number): Moment {
  return { at: ended, is: 'end', call, id, turns }
}

function groupBy<T>(list: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of list) {
    const group = groups.get(keyOf(item))
    if (group) group.push(item)
    else groups.set(keyOf(item), [item])
  }
  return groups
}
