import { beforeAll, describe, expect, it } from 'vitest'
import { ENCODINGS, textFraming, type ConversationStore, type Message, type Window } from '../src/index.ts'
import { onEachDatabase } from './support/databases.ts'
import { runSql, turnOf } from './support/inspect.ts'
import {
  chatTokens,
  DEFAULT_PREFIXES,
  newestThatFit,
  oracleCount,
  render,
  textTokens,
  tokensBeforeALine,
  type Tokens,
} from './support/oracle.ts'
import { hostileTurn, randomFrom, type Random } from './support/texts.ts'

/** For each encoding, on each of the two databases: 2,160 conversations in all. */
const CONVERSATIONS = 180
/** Conversations that are written and read at the same time. */
const AT_ONCE = 12

const OTHER_PREFIXES = [
  { humanPrefix: 'Me', aiPrefix: 'Bot ' },
  { humanPrefix: '人', aiPrefix: '😀' },
  { humanPrefix: '+-', aiPrefix: '<|endoftext|>' },
]

onEachDatabase('loadWindow', (database) => {
  let store: ConversationStore
  let unnamed: ConversationStore
  beforeAll(async () => {
    store = await database.open()
    // On Postgres, statements are kept by default: after five runs their plan no longer knows the values. These are not.
    unnamed = await database.open({ preparedStatements: false })
  })

  describe.each(ENCODINGS)('under %s', (encoding) => {
    it('returns the most newest whole turns that fit, whatever they hold, and counts them as js-tiktoken does', async () => {
      const count = oracleCount(encoding)
      await inGroups(CONVERSATIONS, async (index) => {
        const seed = ENCODINGS.indexOf(encoding) * 1000 + index
        const random = randomFrom(seed)
        const prefixes = index % 4 === 0 ? random.pick(OTHER_PREFIXES) : DEFAULT_PREFIXES
        const conversation = (index % 2 === 0 ? store : unnamed).conversation({
          userId: `user ${index % 7}`,
          conversationId: `${encoding} ${index}`,
          encoding,
          framing: textFraming(prefixes),
        })
        const turns = Array.from({ length: random.below(8) }, () => hostileTurn(random))
        const sizes = turns.map((turn) => tokensBeforeALine(turn, count, prefixes))
        let total = 0
        for (const [at, turn] of turns.entries()) {
          total += sizes[at]!
          expect(await conversation.append(turn), `seed ${seed}`).toMatchObject({
            position: at + 1,
            tokenCount: sizes[at],
            cumulativeTokens: total,
          })
        }

        const tokens = textTokens(count, prefixes)
        for (const limit of limitsFor(turns, tokens, random)) {
          const label = `${encoding}, seed ${seed}, limit ${limit}`
          const kept = newestThatFit(turns, limit, tokens)
          const window = await conversation.loadWindow({ maxTokens: limit })
          const omittedTokens = sum(sizes.slice(0, turns.length - kept))
          expectNewest(window, { turns, kept, tokens, omittedTokens, label })
        }
      })
    })
  })

  it('returns the most newest whole turns that fit in chat form', async () => {
    const encoding = 'o200k_base'
    const count = oracleCount(encoding)
    const countPart = () => 85
    const tokens: Tokens = (turns) => chatTokens(turns.flat(), count, countPart)
    await inGroups(72, async (index) => {
      const seed = 10_000 + index
      const random = randomFrom(seed)
      const conversation = store.conversation({
        userId: 'chat',
        conversationId: `${index}`,
        encoding,
        framing: 'chat',
        countPart,
      })
      const turns = Array.from({ length: random.below(8) }, () => hostileTurn(random))
      for (const turn of turns) await conversation.append(turn)
      for (const limit of limitsFor(turns, tokens, random)) {
        const label = `seed ${seed}, limit ${limit}`
        const kept = newestThatFit(turns, limit, tokens)
        const window = await conversation.loadWindow({ maxTokens: limit })
        const omittedTokens = tokens(turns.slice(0, turns.length - kept))
        expectNewest(window, { turns, kept, tokens, omittedTokens, label })
      }
    })
  })

  it('is exact at every limit where the sum of what each line costs is not', async () => {
    const encoding = 'o200k_base'
    const count = oracleCount(encoding)
    const tokens = textTokens(count)
    const turn: Message[] = [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: 'x+-+-+-+-+-+-+-+-' },
    ]
    const turns = Array.from({ length: 50 }, () => turn)
    // Fifty turns and the 49 line breaks between them: 449, and a window that is 147 tokens over its limit.
    expect(50 * count(render(turn)) + 49).toBe(449)
    expect(tokens(turns)).toBe(596)

    const conversation = store.conversation({ userId: 'ada', conversationId: 'plus-minus', encoding })
    for (const each of turns) await conversation.append(each)
    const limits = Array.from({ length: 701 }, (_, limit) => limit)
    await inGroups(limits.length, async (limit) => {
      const kept = newestThatFit(turns, limit, tokens)
      const window = await conversation.loadWindow({ maxTokens: limit })
      const omittedTokens = (50 - kept) * tokensBeforeALine(turn, count)
      expectNewest(window, { turns, kept, tokens, omittedTokens, label: `limit ${limit}` })
      expect(count(render(window.messages)), `limit ${limit}`).toBeLessThanOrEqual(limit)
    })
  })

  it('is empty when the newest turn alone is too big, and never takes an older, smaller turn in its place', async () => {
    const conversation = store.conversation({ userId: 'ada', conversationId: 'big-newest' })
    const older = await conversation.append(turnOf('hi', 'whats up'))
    const old = await conversation.append(turnOf('not much you', 'not much'))
    const newest = await conversation.append(
      turnOf('Tell me everything.', 'Well, where should I begin? '.repeat(20)),
    )
    const window = await conversation.loadWindow({ maxTokens: 100 })
    expect(window).toEqual({
      turns: [],
      messages: [],
      tokenCount: 0,
      omittedTurns: 3,
      omittedTokens: older.tokenCount + old.tokenCount + newest.tokenCount,
    })
  })

  it('is empty at limit 0, and where there is no history at all', async () => {
    const conversation = store.conversation({ userId: 'ada', conversationId: 'limit-0' })
    const none = { turns: [], messages: [], tokenCount: 0, omittedTurns: 0, omittedTokens: 0 }
    expect(await conversation.loadWindow({ maxTokens: 0 })).toEqual(none)
    expect(await conversation.loadWindow({ maxTokens: 8000 })).toEqual(none)

    const { tokenCount } = await conversation.append(turnOf('', ''))
    expect(await conversation.loadWindow({ maxTokens: 0 })).toEqual({
      ...none,
      omittedTurns: 1,
      omittedTokens: tokenCount,
    })
  })

  it('goes on from the turn that a rewind left standing', async () => {
    const encoding = 'cl100k_base'
    const count = oracleCount(encoding)
    const tokens = textTokens(count)
    // What the newest turn saves by standing last differs: most of all after +-, which merges with a line break.
    const turns = ['+-+-', 'x ', '\n', 'plain', '+-\n', ''].map((end) => turnOf('hi', `there${end}`))
    for (const to of [0, 1, 2, 3, 5, 6, 9]) {
      const conversation = store.conversation({ userId: 'ada', conversationId: `rewound-${to}`, encoding })
      for (const turn of turns) await conversation.append(turn)
      expect(await conversation.rewind({ to })).toEqual({ turns: Math.max(0, 6 - to) })
      const left = turns.slice(0, to)
      await expectExactAtEveryLimit(left)

      // The positions of the turns that were dropped are not used again.
      const again = turnOf('and', 'now+-+-')
      expect(await conversation.append(again)).toMatchObject({ position: 7, replayed: false })
      await expectExactAtEveryLimit([...left, again])

      async function expectExactAtEveryLimit(stored: Message[][]) {
        for (let limit = 0; limit <= tokens(stored) + 1; limit++) {
          const kept = newestThatFit(stored, limit, tokens)
          const window = await conversation.loadWindow({ maxTokens: limit })
          const omittedTokens = sum(
            stored.slice(0, stored.length - kept).map((turn) => tokensBeforeALine(turn, count)),
          )
          const label = `rewound to ${to}, limit ${limit}`
          expectNewest(window, { turns: stored, kept, tokens, omittedTokens, label })
        }
      }
    }
  })

  it('starts anew after a clear', async () => {
    const conversation = store.conversation({ userId: 'ada', conversationId: 'cleared' })
    await conversation.append(turnOf('hi', 'there+-+-'))
    await conversation.append(turnOf('not much you', 'not much'))
    expect(await conversation.clear()).toEqual({ turns: 2 })
    expect(await conversation.loadWindow({ maxTokens: 8000 })).toEqual({
      turns: [],
      messages: [],
      tokenCount: 0,
      omittedTurns: 0,
      omittedTokens: 0,
    })
    const turn = turnOf('back', 'again')
    const size = tokensBeforeALine(turn, oracleCount('o200k_base'))
    expect(await conversation.append(turn)).toMatchObject({
      position: 3,
      tokenCount: size,
      cumulativeTokens: size,
    })
    const window = await conversation.loadWindow({ maxTokens: 8000 })
    expect(window).toMatchObject({
      messages: turn,
      tokenCount: textTokens(oracleCount('o200k_base'))([turn]),
    })
    expect(window).toMatchObject({ omittedTurns: 0, omittedTokens: 0 })
  })

  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '10', undefined, null])(
    'refuses the limit %s',
    async (maxTokens) => {
      const conversation = store.conversation({ userId: 'ada', conversationId: 'refused' })
      await expect(conversation.loadWindow({ maxTokens: maxTokens as number })).rejects.toMatchObject({
        name: 'InvalidLimitError',
        code: 'INVALID_LIMIT',
      })
    },
  )
})

/** None, just what some of the newest turns need, one less, anything, and more than enough. */
function limitsFor(turns: readonly Message[][], tokens: Tokens, random: Random): number[] {
  const exact = tokens(turns.slice(random.below(turns.length + 1)))
  const more = random.pick([1_000_000, 2 ** 31, Number.MAX_SAFE_INTEGER])
  return [0, exact, Math.max(0, exact - 1), random.below(tokens(turns) + 2), more]
}

/** The window holds just the `kept` newest turns, and its figures are those of the oracle. */
function expectNewest(window: Window, expected: Expected): void {
  const { turns, kept, tokens, omittedTokens, label } = expected
  const newest = turns.slice(turns.length - kept)
  expect({ ...window, turns: window.turns.map((turn) => turn.messages) }, label).toEqual({
    turns: newest,
    messages: newest.flat(),
    tokenCount: tokens(newest),
    omittedTurns: turns.length - kept,
    omittedTokens,
  })
}

interface Expected {
  readonly turns: readonly Message[][]
  readonly kept: number
  readonly tokens: Tokens
  readonly omittedTokens: number
  readonly label: string
}

/** Runs `work` for 0 to `count - 1`, some at the same time, and ends at the first that fails. */
async function inGroups(count: number, work: (index: number) => Promise<void>): Promise<void> {
  for (let first = 0; first < count; first += AT_ONCE) {
    const group = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, offset) =>
      work(first + offset),
    )
    await Promise.all(group)
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}

onEachDatabase('a conversation in which rows are missing', (database) => {
  const key = { userId: 'ada', conversationId: 'damaged' }
  const itsTurns = `backscroll_turns where user_id = 'ada' and conversation_id = 'damaged'`

  it.each([
    ['the newest', `delete from ${itsTurns} and position = 5`],
    ['one in the middle', `delete from ${itsTurns} and position = 3`],
    ['the oldest', `delete from ${itsTurns} and position = 1`],
    ['all', `delete from ${itsTurns}`],
  ])('is an error, and never a shorter history: %s', async (_, damage) => {
    const store = await database.open()
    await store.forgetUser('ada')
    const conversation = store.conversation(key)
    for (const number of [1, 2, 3, 4, 5]) await conversation.append(turnOf(`turn ${number}`))
    await runSql(database, damage)
    const damaged = { code: 'CORRUPT_DATA' }
    await expect(conversation.loadWindow({ maxTokens: 1000 })).rejects.toMatchObject(damaged)
    await expect(conversation.loadWindow({ maxTokens: 1000, retentionRatio: 0.5 })).rejects.toMatchObject(
      damaged,
    )
  })

  it('goes on with what is left of it after a recount', async () => {
    const store = await database.open()
    await store.forgetUser('ada')
    const conversation = store.conversation(key)
    for (const number of [1, 2, 3, 4, 5]) await conversation.append(turnOf(`turn ${number}`))
    await runSql(database, `delete from ${itsTurns} and position in (2, 5)`)
    expect(await conversation.recount()).toEqual({ turns: 3 })
    await conversation.append(turnOf('turn 6'), { expectedPosition: 4 })
    const { turns, omittedTurns } = await conversation.loadWindow({ maxTokens: 1000 })
    expect(turns.map(({ position }) => position)).toEqual([1, 3, 4, 6])
    expect(omittedTurns).toBe(0)
  })
})
