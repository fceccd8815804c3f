import { expect, it } from 'vitest'
import type { Conversation, ConversationStore, ConversationSummary } from '../src/index.ts'
import { onEachDatabase } from './support/databases.ts'
import { oneTo, runSql, turnOf } from './support/inspect.ts'

/** All pages of a user's list, one after the other. */
async function pagesOf(
  store: ConversationStore,
  userId: string,
  limit: number,
): Promise<ConversationSummary[][]> {
  const pages: ConversationSummary[][] = []
  for (let before: string | undefined; ; before = pages.at(-1)!.at(-1)!.cursor) {
    const page = await store.listConversations(userId, { limit, ...(before !== undefined && { before }) })
    if (page.length === 0) return pages
    pages.push(page)
  }
}

const idsOf = (lines: readonly ConversationSummary[]) => lines.map(({ conversationId }) => conversationId)

onEachDatabase("a user's list of conversations", (database) => {
  it('shows the one that was written to last first, with its totals and metadata', async () => {
    const store = await database.open()
    expect(await store.listConversations('ada')).toEqual([])
    const [one, two] = ['one', 'two'].map((conversationId) =>
      store.conversation({ userId: 'ada', conversationId }),
    ) as [Conversation, Conversation]
    await one.append(turnOf('hi', 'whats up'))
    await two.append(turnOf('hi', 'whats up'))
    await two.append(turnOf('hi', 'whats up'))
    await two.setMetadata({ title: 'Two', tags: ['a'] })
    await setTimes(1000)
    await one.append(turnOf('hi', 'whats up'), { idempotencyKey: 'k' })
    const lines = await store.listConversations('ada')
    expect(lines).toEqual([
      {
        conversationId: 'one',
        turnCount: 2,
        tokenCount: 18,
        createdAt: new Date(1000),
        updatedAt: expect.any(Date),
        metadata: null,
        cursor: expect.any(String),
      },
      {
        conversationId: 'two',
        turnCount: 2,
        tokenCount: 18,
        createdAt: new Date(1000),
        updatedAt: new Date(1000),
        metadata: { title: 'Two', tags: ['a'] },
        cursor: expect.any(String),
      },
    ])
    expect(lines[0]!.updatedAt.getTime()).toBeGreaterThan(1000)
  })

  it('keeps the order of writing also among those that were written within a millisecond', async () => {
    const store = await database.open()
    const ids = ['mm', 'zz', 'aa', 'kk', 'bb', 'yy', 'zz', 'mm']
    for (const conversationId of ids) {
      await store.conversation({ userId: 'quick', conversationId }).append(turnOf('x'))
    }
    expect(idsOf(await store.listConversations('quick'))).toEqual(['mm', 'zz', 'yy', 'bb', 'kk', 'aa'])
    expect((await pagesOf(store, 'quick', 1)).map(([line]) => line?.conversationId)).toEqual([
      ...['mm', 'zz', 'yy', 'bb', 'kk', 'aa'],
    ])
  })

  it('is not reordered by what writes nothing: loads, replays, metadata, an empty rewind', async () => {
    const store = await database.open()
    const conversation = store.conversation({ userId: 'ada', conversationId: 'two' })
    await conversation.append(turnOf('x'), { idempotencyKey: 'k' })
    await setTimes(2000)
    await conversation.append(turnOf('x'), { idempotencyKey: 'k' })
    await conversation.loadWindow({ maxTokens: 100 })
    await conversation.listTurns()
    await conversation.rewind({ to: 99 })
    await conversation.setMetadata({ title: 'other' })
    for (const { updatedAt } of await store.listConversations('ada'))
      expect(updatedAt).toEqual(new Date(2000))
    await conversation.clear()
    expect(idsOf(await store.listConversations('ada'))[0]).toBe('two')
  })

  it('is read in pages without a conversation twice or left out, also where all have the same time', async () => {
    const store = await database.open()
    const ids = oneTo(25).map((number) => `c${number}`)
    for (const conversationId of ids) {
      await store.conversation({ userId: 'tied', conversationId }).append(turnOf('x'))
    }
    await setTimes(3000)
    const all = idsOf(await store.listConversations('tied'))
    expect(all.toSorted()).toEqual(ids.toSorted())
    for (const limit of [1, 2, 7, 24, 25, 26]) {
      const pages = await pagesOf(store, 'tied', limit)
      expect(pages.map(({ length }) => length)).toEqual([
        ...Array.from({ length: Math.floor(25 / limit) }, () => limit),
        ...(25 % limit === 0 ? [] : [25 % limit]),
      ])
      expect(idsOf(pages.flat())).toEqual(all)
    }
  })

  it('goes on where a page ended, also when conversations were added, moved up or erased meanwhile', async () => {
    const store = await database.open()
    for (const number of oneTo(9)) {
      const key = { userId: 'moving', conversationId: `c${number}` }
      await store.conversation(key).append(turnOf('x'))
      await setTimes(number * 1000, key.conversationId)
    }
    const first = await store.listConversations('moving', { limit: 3 })
    expect(idsOf(first)).toEqual(['c9', 'c8', 'c7'])
    await store.conversation({ userId: 'moving', conversationId: 'new' }).append(turnOf('x'))
    await store.conversation({ userId: 'moving', conversationId: 'c5' }).append(turnOf('x'))
    await runSql(database, `delete from backscroll_turns where user_id = 'moving' and conversation_id = 'c7'`)
    await runSql(database, `delete from backscroll_conversations where user_id = 'moving' and id = 'c7'`)
    const rest = await store.listConversations('moving', { before: first.at(-1)!.cursor })
    expect(idsOf(rest)).toEqual(['c6', 'c4', 'c3', 'c2', 'c1'])
  })

  it('goes on below ids of any form, and below the first time there is', async () => {
    const store = await database.open()
    const ids = [
      'é',
      'e\u0301',
      '🙂',
      "o'hara",
      '%',
      '"',
      '\\',
      '{}',
      'A',
      'a',
      ' ',
      '\uffff',
      'z'.repeat(512),
    ]
    for (const conversationId of ids) {
      await store.conversation({ userId: 'odd', conversationId }).append(turnOf('x'))
    }
    await setTimes(0)
    const pages = await pagesOf(store, 'odd', 1)
    expect(idsOf(pages.flat())).toEqual(idsOf(await store.listConversations('odd')))
    expect(idsOf(pages.flat()).toSorted()).toEqual(ids.toSorted())
    // It may stand in a URL as it is.
    for (const [line] of pages) expect(line?.cursor).toMatch(/^[\w-]+$/)
  })

  it('holds 100 conversations unless told otherwise, and 1 to 1,000', async () => {
    const store = await database.open()
    const now = database.name === 'sqlite' ? '1' : 'now()'
    const numbers =
      database.name === 'sqlite'
        ? `(with recursive n (i) as (values (1) union all select i + 1 from n where i < 1100) select i from n)`
        : 'generate_series(1, 1100) as n (i)'
    await runSql(
      database,
      `insert into backscroll_conversations (user_id, id, encoding, framing, last_position, newest_position,
         turn_count, total_tokens, newest_saving, created_at, updated_at)
       select 'many', 'c' || i, 'o200k_base', 'chat', 0, 0, 0, 0, 0, ${now}, ${now} from ${numbers}`,
    )
    expect(await store.listConversations('many')).toHaveLength(100)
    expect(await store.listConversations('many', { limit: 1000 })).toHaveLength(1000)
    expect(new Set(idsOf((await pagesOf(store, 'many', 1000)).flat())).size).toBe(1100)
    for (const limit of [0, 1001, -1, 1.5, Number.NaN, '5' as never, null as never]) {
      await expect(store.listConversations('many', { limit })).rejects.toMatchObject({
        code: 'INVALID_LIMIT',
      })
    }
  })

  it('refuses a cursor that it did not give', async () => {
    const store = await database.open()
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const cursors = [
      '',
      'x',
      '!!!',
      encode({}),
      encode([]),
      encode([1]),
      encode(['1', 'c']),
      encode([1, 2]),
      encode([1e300, 'c']),
      encode(null),
      // What no id and no time can be, and what a database would choke on.
      encode([1, 'a\0b']),
      encode([1, '']),
      encode([1, 'a\uD800']),
      encode([1e16, 'c']),
      encode([-1, 'c']),
      encode([1.5, 'c']),
      7 as never,
      {} as never,
      null as never,
    ]
    for (const before of cursors) {
      await expect(store.listConversations('ada', { before })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      })
    }
  })

  /** Sets the times of all conversations, or of one, as if they had been written then. */
  async function setTimes(milliseconds: number, id?: string): Promise<void> {
    const time = database.name === 'sqlite' ? milliseconds * 1000 : `to_timestamp(${milliseconds / 1000})`
    await runSql(
      database,
      `update backscroll_conversations set created_at = ${time}, updated_at = ${time}
       ${id === undefined ? '' : `where id = '${id}'`}`,
    )
  }
})

onEachDatabase("a conversation's list of turns", (database) => {
  /** Twelve turns, of which 4 to 6 were dropped: positions 1 2 3 7 8 … 12. */
  async function withGap(conversationId: string): Promise<Conversation> {
    const conversation = (await database.open()).conversation({ userId: 'ada', conversationId })
    for (const number of oneTo(6)) await conversation.append(turnOf(`turn ${number}`))
    await conversation.rewind({ to: 3 })
    for (const number of oneTo(6)) await conversation.append(turnOf(`turn ${number + 6}`))
    return conversation
  }

  const RANGES: [{ after?: number; before?: number; limit?: number }, number[]][] = [
    [{}, [1, 2, 3, 7, 8, 9, 10, 11, 12]],
    [{ limit: 4 }, [1, 2, 3, 7]],
    [{ after: 0 }, [1, 2, 3, 7, 8, 9, 10, 11, 12]],
    [{ after: 3 }, [7, 8, 9, 10, 11, 12]],
    [{ after: 5, limit: 2 }, [7, 8]],
    [{ after: 12 }, []],
    [{ after: 99 }, []],
    [{ before: 0 }, []],
    [{ before: 1 }, []],
    [{ before: 8 }, [1, 2, 3, 7]],
    [{ before: 8, limit: 2 }, [3, 7]],
    [{ before: 99, limit: 3 }, [10, 11, 12]],
    [{ after: 2, before: 9 }, [3, 7, 8]],
    [{ after: 2, before: 9, limit: 2 }, [7, 8]],
    [{ after: 9, before: 2 }, []],
    [{ after: 7, before: 8 }, []],
    [{ before: Number.MAX_SAFE_INTEGER, limit: 1 }, [12]],
    [{ after: Number.MAX_SAFE_INTEGER }, []],
  ]

  it('gives what lies between two positions, exclusive: the first ones, or with `before` the newest', async () => {
    const conversation = await withGap('ranges')
    for (const [range, positions] of RANGES) {
      const turns = await conversation.listTurns(range)
      expect(
        turns.map(({ position }) => position),
        JSON.stringify(range),
      ).toEqual(positions)
      for (const turn of turns) expect(turn.messages).toEqual(turnOf(`turn ${turn.position}`))
    }
  })

  it('can be walked in both directions without a turn twice or left out', async () => {
    const conversation = await withGap('walked')
    const all = await conversation.listTurns()
    const forth = []
    for (let page = await conversation.listTurns({ limit: 2 }); page.length > 0;) {
      forth.push(...page)
      page = await conversation.listTurns({ after: page.at(-1)!.position, limit: 2 })
    }
    expect(forth).toEqual(all)
    let back: typeof all = []
    for (let page = await conversation.listTurns({ before: 99, limit: 2 }); page.length > 0;) {
      back = [...page, ...back]
      page = await conversation.listTurns({ before: page[0]!.position, limit: 2 })
    }
    expect(back).toEqual(all)
  })

  it('holds 100 turns unless told otherwise', async () => {
    const conversation = (await database.open()).conversation({ userId: 'ada', conversationId: 'long' })
    for (const number of oneTo(103)) await conversation.append(turnOf(`${number}`))
    const positions = async (range: object) =>
      (await conversation.listTurns(range)).map(({ position }) => position)
    expect(await positions({})).toEqual(oneTo(100))
    expect(await positions({ before: 104 })).toEqual(oneTo(103).slice(3))
    expect(await positions({ limit: 1000 })).toEqual(oneTo(103))
  })

  it('refuses positions and limits that are none', async () => {
    const conversation = (await database.open()).conversation({ userId: 'ada', conversationId: 'refused' })
    const ranges: object[] = [
      { limit: 0 },
      { limit: 1001 },
      { limit: 1.5 },
      { limit: '5' },
      { after: -1 },
      { after: Number.NaN },
      { before: -1 },
      { before: 0.5 },
      { before: 2 ** 53 },
      { after: null },
    ]
    for (const range of ranges) {
      await expect(conversation.listTurns(range)).rejects.toMatchObject({ code: 'INVALID_LIMIT' })
    }
  })

  it('is empty for a conversation that nobody wrote to, which does not begin by being read', async () => {
    const store = await database.open()
    const conversation = store.conversation({ userId: 'nobody', conversationId: 'c' })
    expect(await conversation.listTurns()).toEqual([])
    expect(await conversation.loadWindow({ maxTokens: 10 })).toMatchObject({ turns: [], omittedTurns: 0 })
    expect(await store.listConversations('nobody')).toEqual([])
  })
})

onEachDatabase('metadata and forgetting', (database) => {
  it('setMetadata keeps an object beside the conversation, replaces it whole, and takes it away', async () => {
    const store = await database.open()
    const conversation = store.conversation({ userId: 'ada', conversationId: 'c' })
    await conversation.append(turnOf('x'))
    const metadataOf = async () => (await store.listConversations('ada'))[0]?.metadata
    const values = [{ a: 1, b: { c: [null, 'x\0\uD800'] } }, { d: 2 }, {}, null]
    for (const metadata of values) {
      await conversation.setMetadata(metadata)
      expect(await metadataOf()).toEqual(metadata)
    }
    await conversation.setMetadata({ kept: true })
    await conversation.append(turnOf('y'))
    await conversation.clear()
    expect(await metadataOf()).toEqual({ kept: true })
    for (const metadata of [[], 'x', 1, { a: 1n }]) {
      await expect(conversation.setMetadata(metadata as never)).rejects.toMatchObject({
        code: expect.stringMatching(/^INVALID_(ARGUMENT|MESSAGE)$/) as string,
      })
    }
    expect(await metadataOf()).toEqual({ kept: true })
  })

  it('setMetadata may come before the first turn', async () => {
    const store = await database.open()
    const conversation = store.conversation({ userId: 'early', conversationId: 'c' })
    await conversation.setMetadata({ title: 'Early' })
    const [line] = await store.listConversations('early')
    expect(line).toMatchObject({
      conversationId: 'c',
      turnCount: 0,
      tokenCount: 0,
      metadata: { title: 'Early' },
    })
    expect(await conversation.append(turnOf('x'), { expectedPosition: 0 })).toMatchObject({ position: 1 })
    const [after] = await store.listConversations('early')
    expect(after).toMatchObject({ turnCount: 1, metadata: { title: 'Early' } })
  })

  it('forgetUser erases all of a user, and tells how much that was', async () => {
    const store = await database.open()
    for (const [conversationId, turns] of [
      ['one', 3],
      ['two', 2],
      ['none', 0],
    ] as const) {
      const conversation = store.conversation({ userId: 'gone', conversationId })
      for (const turn of oneTo(turns))
        await conversation.append(turnOf(`${turn}`), { idempotencyKey: `${turn}` })
    }
    await store.conversation({ userId: 'gone', conversationId: 'none' }).setMetadata({ a: 1 })
    await store.conversation({ userId: 'gone', conversationId: 'two' }).rewind({ to: 1 })
    expect(await store.forgetUser('gone')).toEqual({ conversations: 3, turns: 4 })
    expect(await store.forgetUser('gone')).toEqual({ conversations: 0, turns: 0 })
    expect(await store.listConversations('gone')).toEqual([])
    for (const table of ['backscroll_turns', 'backscroll_conversations']) {
      expect(await runSql(database, `select * from ${table} where user_id = 'gone'`)).toEqual([])
    }
    // Who comes back is a stranger: keys are free, and positions begin anew.
    const conversation = store.conversation({ userId: 'gone', conversationId: 'one' })
    expect(await conversation.append(turnOf('1'), { idempotencyKey: '1' })).toMatchObject({
      position: 1,
      replayed: false,
    })
  })
})
