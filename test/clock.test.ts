import { afterEach, describe, expect, it, vi } from 'vitest'
import { openStore, type ConversationStore } from '../src/index.ts'
import { onEachDatabase } from './support/databases.ts'
import { postgresHost } from './support/hosts.ts'
import { expectConsistent, oneTo, runSql, turnOf } from './support/inspect.ts'

const HOUR_MS = 3_600_000

/** Holds a conversation against what was appended to it, oldest first: its order, its windows, its pages. */
async function expectInOrder(
  store: ConversationStore,
  conversationId: string,
  texts: string[],
): Promise<void> {
  const conversation = store.conversation({ userId: 'ada', conversationId })
  const listed = []
  for (let page = await conversation.listTurns({ limit: 70 }); page.length > 0;) {
    listed.push(...page)
    page = await conversation.listTurns({ after: page.at(-1)!.position, limit: 70 })
  }
  expect(listed.map(({ position }) => position)).toEqual(oneTo(texts.length))
  expect(listed.map(({ messages }) => messages)).toEqual(texts.map((text) => turnOf(text)))
  for (const kept of [1, 2, Math.floor(texts.length / 2), texts.length]) {
    const newest = listed.slice(-kept)
    const maxTokens = newest.reduce((sum, { tokenCount }) => sum + tokenCount, 0)
    const { turns, omittedTurns } = await conversation.loadWindow({ maxTokens })
    // Standing last, the newest turn costs less, which may leave room for one more.
    expect([kept, kept + 1]).toContain(turns.length)
    expect(turns).toEqual(listed.slice(-turns.length))
    expect(omittedTurns).toBe(texts.length - turns.length)
  }
}

/** The ids of a user's list, read in pages of this length. */
async function pagedIds(store: ConversationStore, limit: number): Promise<string[]> {
  const ids: string[] = []
  for (let before: string | undefined; ;) {
    const page = await store.listConversations('ada', { limit, ...(before !== undefined && { before }) })
    if (page.length === 0) return ids
    ids.push(...page.map(({ conversationId }) => conversationId))
    before = page.at(-1)!.cursor
  }
}

onEachDatabase('a clock that was an hour ahead, and then set right', (database) => {
  it('changes no order of turns, no position, no window, and skips or repeats nothing in lists', async () => {
    const store = await database.open()
    const ids = oneTo(9).map((number) => `c${number}`)
    const texts = oneTo(8).map((turn) => `turn ${turn}`)
    for (const conversationId of ids) {
      const conversation = store.conversation({ userId: 'ada', conversationId })
      for (const text of texts.slice(0, 5)) await conversation.append(turnOf(text))
    }
    const ahead = database.name === 'sqlite' ? `+ ${HOUR_MS * 1000}` : `+ interval '1 hour'`
    await runSql(database, `update backscroll_turns set created_at = created_at ${ahead}`)
    await runSql(
      database,
      `update backscroll_conversations set created_at = created_at ${ahead}, updated_at = updated_at ${ahead}`,
    )
    // Those of an odd number are written to by the clock that was set back.
    for (const [index, conversationId] of ids.entries()) {
      if (index % 2 === 1) continue
      for (const text of texts.slice(5)) {
        await store.conversation({ userId: 'ada', conversationId }).append(turnOf(text))
      }
    }
    for (const [index, conversationId] of ids.entries()) {
      await expectInOrder(store, conversationId, index % 2 === 1 ? texts.slice(0, 5) : texts)
      await expectConsistent(database, { userId: 'ada', conversationId })
    }
    // The list goes by the time that each was given: an hour ahead comes first.
    const listed = ['c8', 'c6', 'c4', 'c2', 'c9', 'c7', 'c5', 'c3', 'c1']
    for (const limit of [1, 2, 4, 9]) expect(await pagedIds(store, limit)).toEqual(listed)
  })
})

describe('the clock of this process', () => {
  afterEach(() => void vi.useRealTimers())

  /** A store on a new database in memory, whose times are those of a clock that the test sets. */
  async function clocked(time: number): Promise<ConversationStore> {
    vi.useFakeTimers({ toFake: ['Date'], now: time })
    return openStore('sqlite::memory:')
  }

  it('may stand still for 500 turns: each has its place, and the list shows the one written to last first', async () => {
    await using store = await clocked(Date.UTC(2026, 10, 22))
    const texts: Record<string, string[]> = { one: [], two: [], three: [] }
    for (const turn of oneTo(500)) {
      const conversationId = Object.keys(texts)[turn % 3]!
      texts[conversationId]!.push(`turn ${turn}`)
      await store.conversation({ userId: 'ada', conversationId }).append(turnOf(`turn ${turn}`))
    }
    for (const [conversationId, written] of Object.entries(texts)) {
      await expectInOrder(store, conversationId, written)
    }
    // Turn 500 is of the third, 499 of the second.
    for (const limit of [1, 2, 3]) expect(await pagedIds(store, limit)).toEqual(['three', 'two', 'one'])
  })

  it('may go back with each turn', async () => {
    await using store = await clocked(Date.UTC(2026, 10, 22))
    const texts = oneTo(60).map((turn) => `turn ${turn}`)
    for (const [index, text] of texts.entries()) {
      vi.setSystemTime(Date.UTC(2026, 10, 22) - index * HOUR_MS)
      await store.conversation({ userId: 'ada', conversationId: 'back' }).append(turnOf(text))
    }
    await expectInOrder(store, 'back', texts)
    expect(await store.listConversations('ada')).toMatchObject([
      {
        createdAt: new Date(Date.UTC(2026, 10, 22)),
        updatedAt: new Date(Date.UTC(2026, 10, 22) - 59 * HOUR_MS),
      },
    ])
  })

  it.each([
    ['has not begun', Date.UTC(1969, 6, 20), 0],
    ['has just begun, in 1970', 0, 0],
    ['is far ahead', Date.UTC(2250, 0, 1), Date.UTC(2250, 0, 1)],
    ['is further ahead than can be kept', Date.UTC(2300, 0, 1), 9_007_199_254_739],
  ])('may say that time %s', async (_, time, kept) => {
    await using store = await clocked(time)
    const texts = oneTo(6).map((turn) => `turn ${turn}`)
    for (const text of texts) {
      for (const conversationId of ['one', 'two', 'three']) {
        await store.conversation({ userId: 'ada', conversationId }).append(turnOf(text))
      }
    }
    for (const conversationId of ['one', 'two', 'three']) await expectInOrder(store, conversationId, texts)
    for (const limit of [1, 2, 3]) expect(await pagedIds(store, limit)).toEqual(['three', 'two', 'one'])
    const [newest] = await store
      .conversation({ userId: 'ada', conversationId: 'one' })
      .listTurns({ before: 7, limit: 1 })
    expect(newest?.createdAt).toEqual(new Date(kept))
  })
})

describe('on postgres', () => {
  it('500 turns may have one time: that of the transaction in which a host appends them', async () => {
    await using host = await postgresHost()
    await host.store.migrate()
    const texts = oneTo(500).map((turn) => `turn ${turn}`)
    await host.db.transaction(async (tx) => {
      const conversation = host.store.withTransaction(tx).conversation({ userId: 'ada', conversationId: 'c' })
      for (const text of texts) await conversation.append(turnOf(text))
    })
    expect(await runSql(host, 'select distinct created_at from backscroll_turns')).toHaveLength(1)
    await expectInOrder(host.store, 'c', texts)
    await expectConsistent(host, { userId: 'ada', conversationId: 'c' })
  })
})
