import { describe, expect, it } from 'vitest'
import { onEachDatabase } from './support/databases.ts'
import { callAtRandom, Client } from './support/history-client.ts'
import {
  checkHistory,
  tally,
  type AppendCall,
  type LoadCall,
  type Note,
  type Placed,
} from './support/history.ts'
import { expectConsistent, oneTo } from './support/inspect.ts'
import { startTogether } from './support/processes/start.ts'
import type { ClientOptions } from './support/processes/client.ts'
import { randomFrom, type Random } from './support/texts.ts'

const ID = 'c'

/** An append of `content` that ran from `started` to `ended`. */
function append(content: string, started: number, ended: number, position?: number): AppendCall {
  const outcome = position === undefined ? 'refused' : 'stored'
  const told = position === undefined ? { code: 'DATABASE_UNAVAILABLE' } : { position }
  const id = `append ${content} ${started}`
  return { call: 'append', id, conversationId: ID, content, started, ended, outcome, ...told }
}

/** An append whose answer never came. */
function unanswered(content: string, started: number): AppendCall {
  return {
    call: 'append',
    id: `append ${content} ${started}`,
    conversationId: ID,
    content,
    started,
    outcome: 'unknown',
  }
}

function load(started: number, ended: number, turns: readonly Placed[], omitted = 0): LoadCall {
  return { call: 'load', id: `load ${started}`, conversationId: ID, started, ended, turns, omitted }
}

/** Turns at the positions 1, 2, 3 … */
function inOrder(...contents: string[]): Placed[] {
  return contents.map((content, at) => ({ content, position: at + 1 }))
}

function check(history: Note[], end: Placed[]): string[] {
  return checkHistory(history, new Map([[ID, end]])).map(({ kind }) => kind)
}

describe('the history checker', () => {
  const a = append('a', 0, 10, 1)
  const b = append('b', 20, 30, 2)

  it('passes calls that may have taken effect one after the other', () => {
    const history = [
      a,
      b,
      load(0, 5, []),
      load(0, 40, inOrder('a')),
      load(5, 40, inOrder('a', 'b')),
      load(5, 40, inOrder('a', 'b').slice(1), 1),
      load(40, 50, [], 2),
    ]
    expect(check(history, inOrder('a', 'b'))).toEqual([])
  })

  it('passes an append without an answer, whether it was stored or not, and one that was repeated until it was', () => {
    expect(check([unanswered('a', 0)], [])).toEqual([])
    expect(check([unanswered('a', 0)], inOrder('a'))).toEqual([])
    const repeated = [unanswered('a', 0), append('a', 5, 6), a, append('a', 50, 60, 1)]
    expect(check([...repeated, load(2, 3, inOrder('a'))], inOrder('a'))).toEqual([])
    // Given up by its client, and stored by the database all the same, later than the load.
    const late = { ...unanswered('a', 0), ended: 5, code: 'OUTCOME_UNKNOWN' }
    expect(check([late, load(10, 20, [])], inOrder('a'))).toEqual([])
  })

  it('takes the last that is noted of a call', () => {
    const begun: Note = { ...unanswered('a', 0), id: a.id }
    expect(tally([begun, a])).toEqual({ stored: 1, refused: 0, unknown: 0, loads: 0, failedLoads: 0 })
    expect(check([begun, a], [])).toEqual(['lost'])
  })

  const PLANTED: Record<string, [history: Note[], end: Placed[], found: string[]]> = {
    'a turn that was acknowledged and is lost': [[a, b], inOrder('a'), ['lost']],
    'a conversation that is lost whole': [[a], [], ['lost']],
    'a turn that is at another position than was acknowledged': [
      [append('a', 0, 10, 2), append('b', 0, 10, 1)],
      inOrder('a', 'b'),
      ['moved', 'moved'],
    ],
    'a position that was acknowledged to two turns': [
      [a, append('b', 0, 10, 1)],
      inOrder('a', 'b'),
      ['moved', 'shared'],
    ],
    'a turn that is there twice': [[a], inOrder('a', 'a'), ['doubled']],
    'a turn without an answer that is there twice': [[unanswered('a', 0)], inOrder('a', 'a'), ['doubled']],
    'a turn that nobody asked for': [[a], inOrder('a', 'x'), ['ghost']],
    'a conversation that nobody asked for': [[], inOrder('x'), ['ghost']],
    'a turn that is there although its caller was told that nothing was written': [
      [append('a', 0, 10)],
      inOrder('a'),
      ['denied'],
    ],
    'a position that was skipped': [
      [a, append('b', 20, 30, 3)],
      [inOrder('a')[0]!, { content: 'b', position: 3 }],
      ['gap'],
    ],
    'a load with a turn that is not there at the end': [
      [a, load(20, 30, inOrder('a', 'x'))],
      inOrder('a'),
      ['fork'],
    ],
    'a load in another order': [
      [append('a', 0, 10, 1), append('b', 0, 10, 2), load(20, 30, inOrder('b', 'a'))],
      inOrder('a', 'b'),
      ['fork'],
    ],
    'a load with a hole': [
      [a, b, append('c', 40, 50, 3), load(60, 70, [inOrder('a')[0]!, { content: 'c', position: 3 }])],
      inOrder('a', 'b', 'c'),
      ['fork'],
    ],
    'a load that shows a turn twice': [[a, load(20, 30, inOrder('a', 'a'))], inOrder('a'), ['fork']],
    'a window that counts the turns it left out wrong': [
      [a, b, load(40, 50, inOrder('a', 'b').slice(1), 0)],
      inOrder('a', 'b'),
      ['fork'],
    ],
    'an empty window that leaves out more than there ever was': [
      [a, load(20, 30, [], 2)],
      inOrder('a'),
      ['fork'],
    ],
    'a load without a turn that had been acknowledged': [
      [a, b, load(31, 40, inOrder('a'))],
      inOrder('a', 'b'),
      ['stale'],
    ],
    'a load that goes back': [
      [a, unanswered('b', 5), load(20, 30, inOrder('a', 'b')), load(31, 40, inOrder('a'))],
      inOrder('a', 'b'),
      ['back'],
    ],
    'a turn that stands before one that had been acknowledged': [
      [append('a', 0, 10, 2), append('b', 20, 30, 1)],
      inOrder('b', 'a'),
      ['overtaken'],
    ],
    'a turn that a load showed before it was appended, and after an append that wrote nothing': [
      [a, append('b', 0, 10), load(12, 15, inOrder('a', 'b')), b],
      inOrder('a', 'b'),
      ['foreseen'],
    ],
    'a turn that a load showed before it was appended': [
      [a, load(12, 15, inOrder('a', 'b')), b],
      inOrder('a', 'b'),
      ['foreseen'],
    ],
  }

  it.each(Object.entries(PLANTED))('finds %s', (_, [history, end, found]) => {
    expect(check(history, end)).toEqual(found)
    expect(check(history.toReversed(), end).toSorted()).toEqual(found.toSorted())
  })

  it('names the conversation, and takes nothing of one for another', () => {
    const other = { ...append('b', 20, 30, 1), conversationId: 'other' }
    const end = new Map([
      [ID, inOrder('a')],
      ['other', inOrder('b')],
    ])
    expect(checkHistory([a, other], end)).toEqual([])
    expect(checkHistory([a, other], new Map([[ID, inOrder('a')]]))).toEqual([
      { kind: 'lost', conversationId: 'other', what: 'append b 20: b, position 1' },
    ])
  })

  it('passes what a correct list gives, however calls overlap', () => {
    let calls = 0
    for (const seed of oneTo(300)) {
      const { history, end } = randomHistory(randomFrom(seed))
      expect(check(history, end), `seed ${seed}`).toEqual([])
      calls += history.length
    }
    expect(calls).toBeGreaterThan(5000)
  })

  it('finds what comparing every two calls finds, where the times are wrong', () => {
    let wrong = 0
    for (const seed of oneTo(300)) {
      const random = randomFrom(seed)
      const { history, end } = randomHistory(random)
      const late = random.below(history.length)
      const shifted = history.map((note, at) => (at === late ? shift(note, random.below(600) - 300) : note))
      const found = checkHistory(shifted, new Map([[ID, end]]))
      const accused = new Set(found.map(({ kind, what }) => `${kind} ${what.split(':')[0]}`))
      expect([...accused].toSorted(), `seed ${seed}`).toEqual(pairsAgainstTime(shifted, end))
      if (found.length > 0) wrong++
    }
    expect(wrong).toBeGreaterThan(50)
  })
})

/** A correct list under random calls that overlap: each takes effect at one moment between its start and its end. */
function randomHistory(random: Random): { history: Note[]; end: Placed[] } {
  const planned = oneTo(10 + random.below(30)).map((call) => {
    const effect = random.below(500) * 2
    const [before, after] = [random.below(60), random.below(60)]
    return { call, effect, started: effect - before, ended: effect + after, dice: random.below(10) }
  })
  const end: Placed[] = []
  const history: Note[] = []
  for (const { call, effect, started, ended, dice } of planned.toSorted(
    (one, other) => one.effect - other.effect,
  )) {
    const content = `turn ${call}`
    const position = end.length + 1
    if (dice < 5) {
      end.push({ content, position })
      if (dice === 0) history.push(unanswered(content, started))
      else history.push(append(content, started, ended, position))
      if (dice === 1) history.push(append(content, ended + 1, ended + 5, position))
    } else if (dice === 5) history.push(append(content, started, ended))
    else {
      const omitted = random.below(end.length + 1)
      history.push({ ...load(started, ended, end.slice(omitted), omitted), id: `load ${call} ${effect}` })
    }
  }
  return { history, end }
}

function shift(note: Note, by: number): Note {
  const { started, ended } = note
  return { ...note, started: started + by, ...(ended !== undefined && { ended: ended + by }) }
}

/** The slow obvious answer: of every two calls, the second must not have taken effect before one that had ended by then. */
function pairsAgainstTime(history: readonly Note[], end: readonly Placed[]): string[] {
  const moments = history.flatMap((note): { note: Note; rank: number }[] => {
    if (note.call === 'load') return [{ note, rank: note.omitted + note.turns!.length + 0.5 }]
    const rank = end.findIndex(({ content }) => content === note.content) + 1
    return note.outcome !== 'refused' && rank > 0 ? [{ note, rank }] : []
  })
  const kinds = { append: { append: 'overtaken', load: 'stale' }, load: { append: 'foreseen', load: 'back' } }
  const found = moments.flatMap(({ note, rank }) => {
    // A repetition is bound to nothing: the first of its calls may have stored it.
    const isRepeated = moments.some((other) => other.rank === rank && other.note.started < note.started)
    if (note.call === 'append' && isRepeated) return []
    return moments
      .filter((other) => other.rank > rank && (other.note.ended ?? Number.POSITIVE_INFINITY) < note.started)
      .map((other) => `${kinds[other.note.call][note.call]} ${note.id}`)
  })
  return [...new Set(found)].toSorted()
}

onEachDatabase('concurrent clients', (database) => {
  const CONVERSATIONS = ['one', 'two', 'three']
  const CLIENTS = 8
  const CALLS = 50

  it('of several stores see one history, which only grows, in the order of commits and of time', async () => {
    const userId = 'stores'
    const stores = await Promise.all(
      oneTo(4).map(() => database.open({ maxConnections: 4, deadlineMs: 60_000 })),
    )
    const history: Note[] = []
    await Promise.all(
      oneTo(CLIENTS).map((client) => {
        const store = stores[client % stores.length]!
        const name = `client ${client}`
        const clients = CONVERSATIONS.map((conversationId) => {
          return new Client(name, store.conversation({ userId, conversationId }), (note) =>
            history.push(note),
          )
        })
        return callAtRandom(clients, { name, calls: CALLS, random: randomFrom(client) })
      }),
    )
    await expectOneHistory(history, userId)
  })

  it('of several processes see the same', async () => {
    const userId = 'processes'
    await database.open()
    const programs = await startTogether(
      'client',
      oneTo(2).map((process): ClientOptions => {
        const name = `process ${process}`
        const seed = process * 100
        return {
          url: database.url,
          userId,
          conversationIds: CONVERSATIONS,
          name,
          clients: CLIENTS / 2,
          calls: CALLS,
          seed,
        }
      }),
    )
    const history = (await Promise.all(programs.map((program) => program.rest()))).flat() as Note[]
    for (const program of programs) expect(await program.ended()).toBe(0)
    await expectOneHistory(history, userId)
  })

  async function expectOneHistory(history: readonly Note[], userId: string) {
    const end = new Map<string, Placed[]>()
    for (const conversationId of CONVERSATIONS)
      end.set(conversationId, await expectConsistent(database, { userId, conversationId }))
    expect(checkHistory(history, end)).toEqual([])

    // That it could have failed: no call was refused, and most loads were made while others wrote.
    const { stored, loads, ...rest } = tally(history)
    expect(rest).toEqual({ refused: 0, unknown: 0, failedLoads: 0 })
    expect(stored).toBeGreaterThan((CLIENTS * CALLS) / 3)
    expect(loads).toBeGreaterThan((CLIENTS * CALLS) / 4)
    const sizes = [...end.values()].map(({ length }) => length)
    expect(sizes.reduce((sum, size) => sum + size)).toBeGreaterThan((CLIENTS * CALLS) / 3)
    const overlapping = history.filter(({ started, ended = 0, conversationId }) =>
      history.some(
        (other) => other.conversationId === conversationId && other.started < started && other.ended! > ended,
      ),
    )
    expect(overlapping.length).toBeGreaterThan(CLIENTS)
  }
})
