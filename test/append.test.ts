import { expect, it } from 'vitest'
import type { AppendOptions, ConversationStore, Message } from '../src/index.ts'
import { onEachDatabase, type TestDatabase } from './support/databases.ts'
import { expectConsistent, oneTo, turnOf } from './support/inspect.ts'

let conversations = 0

/** A conversation that no other test has seen. */
function newKey(): { userId: string; conversationId: string } {
  return { userId: 'ada', conversationId: `append-${++conversations}` }
}

function newConversation(store: ConversationStore) {
  return store.conversation(newKey())
}

onEachDatabase('a stored turn', (database) => {
  it('tells its position, its tokens, the running total, its messages and when it was stored', async () => {
    const store = await database.open()
    const started = Date.now()
    const stored = await newConversation(store).append(turnOf('hi', 'whats up'))
    // o200k_base: "Human: hi\n" has 4 tokens and "AI: whats up\n" has 5; see the seed's example.
    expect(stored).toEqual({
      position: 1,
      tokenCount: 9,
      cumulativeTokens: 9,
      messages: turnOf('hi', 'whats up'),
      createdAt: expect.any(Date),
      metadata: null,
      replayed: false,
    })
    // Within a day: right in its unit, whatever the clocks of the two machines say.
    expect(Math.abs(stored.createdAt.getTime() - started)).toBeLessThan(86_400_000)
  })

  it('is read back as it was returned, from the window and from the list', async () => {
    const conversation = newConversation(await database.open())
    const first = await conversation.append(turnOf('one'), {
      metadata: { model: 'm', tags: ['a', { b: 1 }] },
    })
    const second = await conversation.append(turnOf('two'))
    expect(await conversation.listTurns()).toEqual([first, second])
    expect((await conversation.loadWindow({ maxTokens: 1000 })).turns).toEqual([first, second])
    expect(first.metadata).toEqual({ model: 'm', tags: ['a', { b: 1 }] })
    expect(second.metadata).toBeNull()
  })

  it('follows the one before it: positions 1 to n, each running total the sum so far', async () => {
    const key = newKey()
    const conversation = (await database.open()).conversation(key)
    let total = 0
    for (const position of oneTo(12)) {
      const stored = await conversation.append(turnOf('word '.repeat(position)))
      total += stored.tokenCount
      expect(stored).toMatchObject({ position, cumulativeTokens: total })
    }
    expect(await expectConsistent(database, key)).toHaveLength(12)
  })

  it('does not change when the caller changes what was passed in or handed out', async () => {
    const conversation = newConversation(await database.open())
    const messages = [{ role: 'user', content: [{ type: 'text', text: 'before' }] }] satisfies Message[]
    const metadata = { note: { text: 'before' } }
    const expected = structuredClone(messages)
    const stored = await conversation.append(messages, { metadata })
    messages[0]!.content[0]!.text = 'after'
    metadata.note.text = 'after'
    expect(stored.messages).toEqual(expected)
    expect(stored.metadata).toEqual({ note: { text: 'before' } })

    stored.messages.length = 0
    const window = await conversation.loadWindow({ maxTokens: 1000 })
    expect(window.messages).toEqual(expected)
    expect(window.turns[0]?.metadata).toEqual({ note: { text: 'before' } })
  })

  it('is not there when its messages or metadata are refused', async () => {
    const key = newKey()
    const conversation = (await database.open()).conversation(key)
    const refused: [unknown, AppendOptions, string][] = [
      [[], {}, 'INVALID_MESSAGE'],
      [[{ role: 'nobody', content: 'x' }], {}, 'INVALID_MESSAGE'],
      [[{ role: 'user', content: null }], {}, 'INVALID_MESSAGE'],
      [[{ role: 'user', content: 'x', size: 1n }], {}, 'INVALID_MESSAGE'],
      [turnOf('x'), { metadata: [] as never }, 'INVALID_ARGUMENT'],
      [turnOf('x'), { idempotencyKey: '' }, 'INVALID_ID'],
      [turnOf('x'), { idempotencyKey: 'k'.repeat(256) }, 'INVALID_ID'],
      [turnOf('x'), { expectedPosition: -1 }, 'INVALID_LIMIT'],
      [turnOf('x'), { expectedPosition: 0.5 }, 'INVALID_LIMIT'],
    ]
    for (const [messages, options, code] of refused) {
      await expect(conversation.append(messages as Message[], options)).rejects.toMatchObject({ code })
    }
    expect(await expectConsistent(database, key)).toEqual([])
  })

  it('may hold as many characters as the store takes, and not one more', async () => {
    const conversation = (await database.open({ maxTurnCharacters: 40 })).conversation(newKey())
    await expect(conversation.append([{ role: 'user', content: 'x'.repeat(41) }])).rejects.toMatchObject({
      code: 'TURN_TOO_LARGE',
    })
    expect(await conversation.append([{ role: 'user', content: 'x'.repeat(40) }])).toMatchObject({
      position: 1,
    })
  })
})

onEachDatabase('a message', (database) => {
  const forms: Record<string, Message[]> = {
    'tool calls and their results': [
      { role: 'user', content: 'Weather?' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } },
          { id: 'call_2', type: 'custom', custom: { name: 'shell', input: 'date' } },
        ],
      },
      { role: 'tool', tool_call_id: 'call_1', content: 'rain' },
      { role: 'tool', tool_call_id: 'call_2', content: [{ type: 'text', text: 'Monday' }] },
      { role: 'assistant', content: 'Rain on Monday.' },
    ],
    'every role and a name': [
      { role: 'system', content: 'Be brief.', name: 'host' },
      { role: 'developer', content: [{ type: 'text', text: 'No lists.' }] },
      { role: 'user', content: 'hi', name: 'Ada' },
      { role: 'assistant', content: 'hi', name: 'bot' },
    ],
    'content parts of every kind': [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'See' },
          { type: 'image_url', image_url: { url: 'https://example.org/a.png', detail: 'low' } },
          { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } },
          { type: 'file', file: { file_id: 'file-1' } },
        ],
      },
      { role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }], refusal: null },
    ],
    'an assistant without content': [{ role: 'assistant' }, { role: 'assistant', refusal: 'I cannot.' }],
    'fields that nobody knows': [
      {
        role: 'user',
        content: 'x',
        annotations: [{ deep: [1, 2.5, -0.1, 1e21, true, null] }],
        '': 'empty',
      } as Message,
    ],
    'NUL, lone surrogates, BOM and odd line ends': [
      { role: 'user', content: 'a\0b\uD800c\uDFFFd\uFEFFe\u0085f\u2028g\r\nh' },
      { role: 'assistant', content: '\uDE00\uD83D' },
    ],
    'text that looks like SQL, JSON or a special token': [
      {
        role: 'user',
        content: `'; drop table backscroll_turns; -- $1 ? :x \\u0000 \\ " {"a":1} <|endoftext|>`,
      },
    ],
    'empty content': turnOf('', ''),
  }

  it.each(Object.entries(forms))('comes back as it was: %s', async (_, messages) => {
    const conversation = newConversation(await database.open())
    const stored = await conversation.append(messages)
    const { messages: loaded, tokenCount } = await conversation.loadWindow({ maxTokens: 100_000 })
    expect(stored.messages).toEqual(messages)
    // As text, because equality of objects does not look at the order of keys.
    expect(JSON.stringify(loaded)).toBe(JSON.stringify(messages))
    expect(tokenCount).toBeGreaterThan(0)
  })

  it('keeps the order of its keys, and a key that objects treat in their own way', async () => {
    const conversation = newConversation(await database.open())
    const message = JSON.parse(
      '{"zeta":1,"role":"user","b":{"y":1,"x":2},"content":"x","alpha":2,"__proto__":{"c":3}}',
    ) as Message
    await conversation.append([message])
    const { messages } = await conversation.loadWindow({ maxTokens: 100 })
    expect(JSON.stringify(messages[0])).toBe(JSON.stringify(message))
  })
})

onEachDatabase('an idempotency key', (database) => {
  it('returns the stored turn to whoever repeats the append, and moves nothing', async () => {
    const key = newKey()
    const conversation = (await database.open()).conversation(key)
    const options = { idempotencyKey: 'k', metadata: { try: 1 } }
    const first = await conversation.append(turnOf('one'), options)
    await conversation.append(turnOf('two'))
    const before = await database.open().then((store) => store.listConversations('ada', { limit: 1 }))

    const again = await conversation.append(turnOf('one'), { ...options, metadata: { try: 2 } })
    expect(again).toEqual({ ...first, replayed: true })
    const rows = await expectConsistent(database, key)
    expect(rows.map(({ key: stored }) => stored)).toEqual(['k', null])
    const after = await database.open().then((store) => store.listConversations('ada', { limit: 1 }))
    expect(after).toEqual(before)
    expect(await conversation.append(turnOf('three'))).toMatchObject({ position: 3 })
  })

  it('does not look at the order of keys in a message', async () => {
    const conversation = newConversation(await database.open())
    const one: Message[] = [{ role: 'user', content: 'x', name: 'Ada' }]
    const other: Message[] = [{ name: 'Ada', content: 'x', role: 'user' }]
    const first = await conversation.append(one, { idempotencyKey: 'k' })
    const again = await conversation.append(other, { idempotencyKey: 'k' })
    expect(again).toEqual({ ...first, replayed: true })
    expect(JSON.stringify(again.messages)).toBe(JSON.stringify(one))
  })

  it('is refused with other messages, and the first ones are kept', async () => {
    const key = newKey()
    const conversation = (await database.open()).conversation(key)
    const first = await conversation.append(turnOf('one'), { idempotencyKey: 'k' })
    const others = [turnOf('other'), [...turnOf('one'), ...turnOf('two')], turnOf('one').slice(0, 1)]
    for (const messages of others) {
      await expect(conversation.append(messages, { idempotencyKey: 'k' })).rejects.toMatchObject({
        code: 'IDEMPOTENCY_CONFLICT',
      })
    }
    expect(await conversation.listTurns()).toEqual([first])
    await expectConsistent(database, key)
  })

  it('stands for one turn in one conversation of one user', async () => {
    const store = await database.open()
    const { conversationId } = newKey()
    for (const key of [
      { userId: 'ada', conversationId },
      { userId: 'ada', conversationId: `${conversationId}-other` },
      { userId: 'bob', conversationId },
    ]) {
      const stored = await store
        .conversation(key)
        .append(turnOf(JSON.stringify(key)), { idempotencyKey: 'k' })
      expect(stored).toMatchObject({ position: 1, replayed: false })
    }
  })

  it('finds its turn, and no other of another conversation or user', async () => {
    const store = await database.open()
    const key = newKey()
    const conversation = store.conversation(key)
    const stored = await conversation.append(turnOf('one'), { idempotencyKey: 'k', metadata: { a: 1 } })
    await conversation.append(turnOf('two'), { idempotencyKey: 'other' })
    expect(await conversation.findTurn('k')).toEqual(stored)
    expect(await conversation.findTurn('K')).toBeUndefined()
    expect(await store.conversation({ ...key, userId: 'eve' }).findTurn('k')).toBeUndefined()
    expect(await newConversation(store).findTurn('k')).toBeUndefined()
    await conversation.clear()
    expect(await conversation.findTurn('k')).toBeUndefined()
  })

  it('gives a turn that it finds with the counts of the encoding it is asked for', async () => {
    const store = await database.open()
    const key = newKey()
    await store.conversation({ ...key, encoding: 'gpt2' }).append(turnOf('早上好'), { idempotencyKey: 'k' })
    const found = await store.conversation(key).findTurn('k')
    expect(found).toEqual((await store.conversation(key).listTurns())[0])
    expect(await store.conversation(key).countedAs()).toMatchObject({ encoding: 'o200k_base' })
  })

  it('is free again once its turn was dropped', async () => {
    const conversation = newConversation(await database.open())
    await conversation.append(turnOf('kept'), { idempotencyKey: 'kept' })
    await conversation.append(turnOf('one'), { idempotencyKey: 'k' })
    await conversation.rewind({ to: 1 })
    expect(await conversation.append(turnOf('two'), { idempotencyKey: 'k' })).toMatchObject({
      position: 3,
      replayed: false,
    })
    expect(await conversation.append(turnOf('kept'), { idempotencyKey: 'kept' })).toMatchObject({
      position: 1,
      replayed: true,
    })
    await conversation.clear()
    expect(await conversation.append(turnOf('kept'), { idempotencyKey: 'kept' })).toMatchObject({
      position: 4,
      replayed: false,
    })
  })

  it('may be any text of up to 255 bytes', async () => {
    const conversation = newConversation(await database.open())
    const keys = ["it's; --", '%', '_', 'K', 'k', 'é', 'e\u0301', '🙂', 'é'.repeat(127)]
    for (const idempotencyKey of keys) {
      expect(await conversation.append(turnOf('x'), { idempotencyKey })).toMatchObject({ replayed: false })
      expect(await conversation.append(turnOf('x'), { idempotencyKey })).toMatchObject({ replayed: true })
    }
    expect(await conversation.listTurns()).toHaveLength(keys.length)
    await expect(conversation.append(turnOf('x'), { idempotencyKey: 'é'.repeat(128) })).rejects.toMatchObject(
      { code: 'INVALID_ID' },
    )
  })
})

onEachDatabase('an expected position', (database) => {
  it('lets the append through when it is that of the last turn, 0 for none', async () => {
    const conversation = newConversation(await database.open())
    expect(await conversation.append(turnOf('one'), { expectedPosition: 0 })).toMatchObject({ position: 1 })
    expect(await conversation.append(turnOf('two'), { expectedPosition: 1 })).toMatchObject({ position: 2 })
  })

  it('stops it otherwise, tells both positions, and writes nothing', async () => {
    const key = newKey()
    const conversation = (await database.open()).conversation(key)
    const conflict = (expectedPosition: number, actualPosition: number) =>
      expect(conversation.append(turnOf('x'), { expectedPosition })).rejects.toMatchObject({
        code: 'POSITION_CONFLICT',
        expectedPosition,
        actualPosition,
      })
    await conflict(1, 0)
    expect(
      await database.open().then((store) => store.listConversations('ada', { limit: 1000 })),
    ).not.toContainEqual(expect.objectContaining({ conversationId: key.conversationId }))
    await conversation.append(turnOf('one'))
    await conversation.append(turnOf('two'))
    await conflict(0, 2)
    await conflict(1, 2)
    await conflict(3, 2)
    expect(await expectConsistent(database, key)).toHaveLength(2)
  })

  it('is that of the last turn that is still there', async () => {
    const key = newKey()
    const conversation = (await database.open()).conversation(key)
    for (const text of ['one', 'two', 'three']) await conversation.append(turnOf(text))
    await conversation.rewind({ to: 1 })
    await expect(conversation.append(turnOf('x'), { expectedPosition: 3 })).rejects.toMatchObject({
      code: 'POSITION_CONFLICT',
      actualPosition: 1,
    })
    expect(await conversation.append(turnOf('four'), { expectedPosition: 1 })).toMatchObject({ position: 4 })
    await conversation.clear()
    await expect(conversation.append(turnOf('x'), { expectedPosition: 4 })).rejects.toMatchObject({
      code: 'POSITION_CONFLICT',
      actualPosition: 0,
    })
    expect(await conversation.append(turnOf('five'), { expectedPosition: 0 })).toMatchObject({ position: 5 })
    expect((await expectConsistent(database, key)).map(({ position }) => position)).toEqual([5])
  })

  it('does not stand in the way of a repeated append', async () => {
    const conversation = newConversation(await database.open())
    const options = { idempotencyKey: 'k', expectedPosition: 0 }
    await conversation.append(turnOf('one'), options)
    expect(await conversation.append(turnOf('one'), options)).toMatchObject({ position: 1, replayed: true })
    await expect(
      conversation.append(turnOf('two'), { idempotencyKey: 'other', expectedPosition: 0 }),
    ).rejects.toMatchObject({ code: 'POSITION_CONFLICT', actualPosition: 1 })
  })

  it('lets one of several through that hold the same', async () => {
    const key = newKey()
    const conversation = (await database.open()).conversation(key)
    const results = await Promise.allSettled(
      oneTo(16).map((caller) => conversation.append(turnOf(`caller ${caller}`), { expectedPosition: 0 })),
    )
    const lost = results
      .filter((result) => result.status === 'rejected')
      .map((result) => result.reason as unknown)
    expect(lost).toHaveLength(15)
    for (const reason of lost) expect(reason).toMatchObject({ code: 'POSITION_CONFLICT', actualPosition: 1 })
    expect(await expectConsistent(database, key)).toHaveLength(1)
  })
})

onEachDatabase('rewind and clear', (database) => {
  async function ofFive(key: { userId: string; conversationId: string }, { open }: TestDatabase) {
    const conversation = (await open()).conversation(key)
    const turns = []
    for (const position of oneTo(5)) turns.push(await conversation.append(turnOf('w '.repeat(position * 7))))
    return { conversation, turns }
  }

  it('rewind drops the turns after a position, and takes their tokens off the total', async () => {
    const key = newKey()
    const { conversation, turns } = await ofFive(key, database)
    expect(await conversation.rewind({ to: 3 })).toEqual({ turns: 2 })
    const window = await conversation.loadWindow({ maxTokens: 100_000 })
    expect(window.turns).toEqual(turns.slice(0, 3))
    expect(await conversation.append(turnOf('next'))).toMatchObject({
      position: 6,
      cumulativeTokens: turns[2]!.cumulativeTokens + (await conversation.listTurns()).at(-1)!.tokenCount,
    })
    expect((await expectConsistent(database, key)).map(({ position }) => position)).toEqual([1, 2, 3, 6])
  })

  it('rewind to a position in a gap keeps what lies below it', async () => {
    const key = newKey()
    const { conversation } = await ofFive(key, database)
    await conversation.rewind({ to: 2 })
    await conversation.append(turnOf('six'))
    expect(await conversation.rewind({ to: 4 })).toEqual({ turns: 1 })
    expect((await expectConsistent(database, key)).map(({ position }) => position)).toEqual([1, 2])
    expect(await conversation.append(turnOf('seven'), { expectedPosition: 2 })).toMatchObject({ position: 7 })
  })

  it('rewind changes nothing where nothing follows, or nothing is there', async () => {
    const key = newKey()
    const { conversation, turns } = await ofFive(key, database)
    const store = await database.open()
    const before = await store.listConversations('ada')
    expect(await conversation.rewind({ to: 5 })).toEqual({ turns: 0 })
    expect(await conversation.rewind({ to: 500 })).toEqual({ turns: 0 })
    expect(await conversation.listTurns()).toEqual(turns)
    expect(await store.conversation(newKey()).rewind({ to: 0 })).toEqual({ turns: 0 })
    expect(await store.conversation(newKey()).clear()).toEqual({ turns: 0 })
    expect(await store.listConversations('ada')).toEqual(before)
  })

  it('clear leaves an empty conversation whose totals are 0 and whose positions go on', async () => {
    const key = newKey()
    const { conversation } = await ofFive(key, database)
    expect(await conversation.clear()).toEqual({ turns: 5 })
    expect(await conversation.loadWindow({ maxTokens: 1000 })).toEqual({
      turns: [],
      messages: [],
      tokenCount: 0,
      omittedTurns: 0,
      omittedTokens: 0,
    })
    const [line] = await (await database.open()).listConversations('ada', { limit: 1 })
    expect(line).toMatchObject({ conversationId: key.conversationId, turnCount: 0, tokenCount: 0 })
    const next = await conversation.append(turnOf('hi', 'whats up'))
    expect(next).toMatchObject({ position: 6, tokenCount: 9, cumulativeTokens: 9 })
    await expectConsistent(database, key)
  })

  it('rewind refuses a position that is none', async () => {
    const { conversation } = await ofFive(newKey(), database)
    for (const to of [-1, 1.5, Number.NaN, '3' as never, undefined as never]) {
      await expect(conversation.rewind({ to })).rejects.toMatchObject({ code: 'INVALID_LIMIT' })
    }
    expect(await conversation.listTurns()).toHaveLength(5)
  })
})
