import { setImmediate } from 'node:timers/promises'
import { PositionConflictError } from '../errors.ts'
import type { Conversation, StoredTurn } from '../index.ts'
import { allEnded } from './all-ended.ts'
import { check } from './check.ts'
import { codeOf, expectSame } from './expect.ts'
import { said } from './turns.ts'

const WRITERS = 8
/** Of each writer: with {@link WRITERS} at most the 100 turns that are listed at once. */
const TURNS = 12

/** Writers, which load after each turn, and a reader who does nothing else. */
export const readersSeeAPrefix = check(
  'positions rise without a gap; readers see each turn that was acknowledged, and only ever a prefix that grows',
  async ({ store, user }) => {
    const conversation = store.conversation({ userId: user(), conversationId: 'order' })
    const writing = allEnded(upTo(WRITERS).map((writer) => write(conversation, `writer ${writer}`)))
    const [writers, read] = await allEnded([writing, readDuring(writing, conversation)] as const)

    const turns = await conversation.listTurns()
    const positions = turns.map(({ position }) => position)
    const totals = turns.map(({ cumulativeTokens }) => cumulativeTokens)
    expectSame('the positions', positions, upTo(WRITERS * TURNS))
    expectSame('the running totals', totals, totalsOf(turns))
    expectPrefixes(read, turns)
    for (const { stored, loads } of writers) {
      expectPrefixes(loads, turns)
      for (const [at, turn] of stored.entries()) {
        const { position } = turn
        expectSame(`turn ${position}, as its writer was told,`, turn, turns[position - 1])
        expectSame(`turn ${position}, as its writer loaded it then,`, loads[at]![position - 1], turn)
      }
    }
  },
)

/** Writers that all go on from the same turn, as two tabs of one person do. */
export const onePerPosition = check(
  'of several appends that expect the same position one is stored, and the others are told where the last turn is',
  async ({ store, user }) => {
    const conversation = store.conversation({ userId: user(), conversationId: 'expected' })
    for (const expectedPosition of [0, 1]) {
      const results = await allEnded(
        upTo(WRITERS).map((writer) =>
          conversation
            .append(said(`writer ${writer}`), { expectedPosition })
            .then(() => 'stored', lastPosition),
        ),
      )
      const refused = upTo(WRITERS - 1).map(() => expectedPosition + 1)
      const others = results.filter((result) => result !== 'stored')
      expectSame(`what the others that expected ${expectedPosition} were told`, others, refused)
    }
    expectSame('the number of turns', (await conversation.listTurns()).length, 2)
  },
)

interface Written {
  readonly stored: StoredTurn[]
  /** What was loaded after each of them. */
  readonly loads: StoredTurn[][]
}

async function write(conversation: Conversation, name: string): Promise<Written> {
  const written: Written = { stored: [], loads: [] }
  for (const turn of upTo(TURNS)) {
    written.stored.push(await conversation.append(said(`${name} `.repeat(turn))))
    written.loads.push(await load(conversation))
  }
  return written
}

async function load(conversation: Conversation): Promise<StoredTurn[]> {
  return (await conversation.loadWindow({ maxTokens: 1_000_000 })).turns
}

/** What both kinds of loads give, in turns, until others have written what they write. */
async function readDuring(writing: Promise<unknown>, conversation: Conversation): Promise<StoredTurn[][]> {
  const others = { write: true }
  const stop = () => void (others.write = false)
  writing.then(stop, stop)
  const loads: StoredTurn[][] = []
  while (others.write) {
    loads.push(await load(conversation), await conversation.listTurns())
    // A store that answers from memory would never let the writers' timers and sockets have their turn.
    await setImmediate()
  }
  return loads
}

/** What a caller was told of the last turn's position; where it was refused for another reason, that. */
function lastPosition(error: unknown): number | string {
  return error instanceof PositionConflictError ? error.actualPosition : codeOf(error)
}

/** @param loads those of one client, in its order. */
function expectPrefixes(loads: readonly StoredTurn[][], turns: readonly StoredTurn[]): void {
  let seen = 0
  for (const loaded of loads) {
    expectSame(`a load of ${loaded.length} turns`, loaded, turns.slice(0, loaded.length))
    expectSame(`that a load of ${loaded.length} turns has fewer than one before`, loaded.length < seen, false)
    seen = loaded.length
  }
}

function totalsOf(turns: readonly StoredTurn[]): number[] {
  let total = 0
  return turns.map(({ tokenCount }) => (total += tokenCount))
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1)
}
