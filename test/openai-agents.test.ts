import type {
  AgentInputItem,
  Session,
  SessionHistoryMutation,
  SessionHistoryTransactionArgs,
} from '@openai/agents-core'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { openStore, type BackscrollError, type ConversationStore, type Message } from '../src/index.ts'
import { BackscrollSession, type BackscrollSessionOptions } from '../src/openai-agents.ts'
import { keyOf } from '../src/openai-agents/transaction.ts'
import { ITEMS } from './openai-agents/items.ts'
import { onEachDatabase } from './support/databases.ts'

const question = (content: string): AgentInputItem => ({ type: 'message', role: 'user', content })
const answer = (text: string): AgentInputItem => ({
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text }],
})
const call = (callId: string): AgentInputItem => ({
  type: 'function_call',
  callId,
  name: 'weather',
  arguments: '{}',
  status: 'completed',
})
const result = (callId: string): AgentInputItem => ({
  type: 'function_call_result',
  callId,
  name: 'weather',
  status: 'completed',
  output: { type: 'text', text: '-3' },
})

type ReplacedCall = SessionHistoryMutation['replacement']

onEachDatabase('a session', (database) => {
  let store: ConversationStore
  let conversations = 0
  const open = (options: Partial<BackscrollSessionOptions> = {}) =>
    new BackscrollSession({ store, userId: 'ada', conversationId: `session-${++conversations}`, ...options })
  beforeAll(async () => void (store = await database.open()))

  it('has the id of its conversation', async () => {
    expect(await open({ conversationId: 'support-42' }).getSessionId()).toBe('support-42')
  })

  it('gives what was added to whoever opens it next, and nothing to others', async () => {
    const session = open()
    await session.addItems([question('Hi?'), answer('Hi.')])
    await session.addItems([question('Cold?'), call('c1')])
    await session.addItems([result('c1')])
    const { conversationId } = session.conversation
    const items = [question('Hi?'), answer('Hi.'), question('Cold?'), call('c1'), result('c1')]
    expect(await open({ conversationId }).getItems()).toStrictEqual(items)
    expect(await open({ conversationId, userId: 'bob' }).getItems()).toEqual([])
  })

  it('makes a turn of a question and all that follows it', async () => {
    const { session, conversation } = await filled([
      question('Hi?'),
      answer('Hi.'),
      question('Cold?'),
      call('c1'),
    ])
    await session.addItems([result('c1')])
    const turns = await conversation.listTurns()
    expect(turns.map(({ messages }) => messages.map(({ role }) => role))).toEqual([
      ['user', 'assistant'],
      ['user', 'assistant', 'tool'],
    ])
  })

  it('keeps every kind of item as it was', async () => {
    const items = Object.values(ITEMS)
    const { session } = await filled(items, { countPart: () => 85 })
    expect(await session.getItems()).toStrictEqual(items)
  })

  it('changes nothing that it was given, and gives what may be changed', async () => {
    const items = [question('Hi?'), { ...answer('Hi.'), providerData: { list: [1] } }] as AgentInputItem[]
    const { session } = await filled(items)
    Object.assign((await session.getItems())[0]!, { content: 'changed' })
    items.pop()
    expect((await session.getItems()).map((item) => item.providerData)).toEqual([undefined, { list: [1] }])
    expect((await session.getItems())[0]).toEqual(question('Hi?'))
  })

  describe('asked for a number of items', () => {
    const items = [
      question('1'),
      call('a'),
      call('b'),
      result('a'),
      result('b'),
      answer('2'),
      question('3'),
      answer('4'),
    ]
    let session: Session
    beforeAll(async () => void (session = (await filled(items)).session))

    it.each([
      [0, []],
      [-1, []],
      [-Infinity, []],
      [1, items.slice(-1)],
      [3, items.slice(-3)],
      [7, items.slice(-7)],
      [8, items],
      [9, items],
      [100_000, items],
    ])('gives the most recent: %d', async (limit, expected) => {
      expect(await session.getItems(limit)).toStrictEqual(expected)
    })

    it.each([
      [4, [answer('2'), question('3'), answer('4')]],
      [5, [answer('2'), question('3'), answer('4')]],
      [6, [call('b'), result('b'), answer('2'), question('3'), answer('4')]],
    ])('leaves out results whose calls are not among the %d', async (limit, expected) => {
      expect(await session.getItems(limit)).toStrictEqual(expected)
    })

    it.each([Number.NaN, 1.5, Infinity, '2', null])('refuses a number that is none: %s', async (limit) => {
      await expect(session.getItems(limit as number)).rejects.toMatchObject({ code: 'INVALID_LIMIT' })
    })

    it('reads few turns more than it has to', async () => {
      const { session: long, conversation } = await filled(
        Array.from({ length: 300 }, (_, turn) => [question(`${turn}`), answer('.'), answer('!')]).flat(),
      )
      const read = vi.spyOn(conversation, 'listTurns')
      expect(await long.getItems(60)).toHaveLength(60)
      const turns = await Promise.all(read.mock.results.map(({ value }) => value as Promise<unknown[]>))
      expect(turns.map(({ length }) => length)).toEqual([1, 19])
    })
  })

  describe('with maxTokens', () => {
    it('gives the newest whole turns that fit, whatever is asked by number', async () => {
      const { session, conversation } = await filled([
        question('one'),
        answer('1'),
        question('two'),
        answer('2'),
      ])
      const [, newest] = await conversation.listTurns()
      const { conversationId } = conversation
      const within = (maxTokens: number) => open({ conversationId, maxTokens })
      expect(await within(newest!.cumulativeTokens).getItems()).toHaveLength(4)
      expect(await within(newest!.cumulativeTokens - 1).getItems()).toStrictEqual([
        question('two'),
        answer('2'),
      ])
      expect(await within(newest!.tokenCount).getItems()).toStrictEqual([question('two'), answer('2')])
      expect(await within(newest!.tokenCount - 1).getItems()).toEqual([])
      expect(await within(0).getItems(3)).toStrictEqual([answer('1'), question('two'), answer('2')])
      expect(await session.getItems()).toHaveLength(4)
    })

    it('moves the start in steps with a retentionRatio', async () => {
      const items = Array.from({ length: 40 }, (_, turn) => [question(`${turn}?`), answer('Yes.')]).flat()
      const { conversation } = await filled(items)
      const options = { conversationId: conversation.conversationId, maxTokens: 200, retentionRatio: 0.5 }
      const { messages } = await conversation.loadWindow(options)
      expect(await open(options).getItems()).toHaveLength(messages.length)
      expect(messages.length).toBeLessThan(
        (await conversation.loadWindow({ maxTokens: 200 })).messages.length,
      )
    })

    it('leaves out a result that came when its question was no longer the newest', async () => {
      const { session, conversation } = await filled([question('Cold?'), call('c1'), question('Hello?')])
      await session.addItems([result('c1'), answer('Hi.')])
      const [, { tokenCount = 0 } = {}] = await conversation.listTurns()
      const windowed = open({ conversationId: conversation.conversationId, maxTokens: tokenCount })
      expect(await windowed.getItems()).toStrictEqual([question('Hello?'), answer('Hi.')])
      expect(await session.getItems()).toContainEqual(result('c1'))
    })
  })

  describe('counting', () => {
    it('asks what an image costs, on a screen as well, and not what its data would', async () => {
      const data = `data:image/png;base64,${'A'.repeat(10_000)}`
      const screen = {
        type: 'computer_call_result',
        callId: 'c1',
        output: { type: 'computer_screenshot', data },
      }
      const photo = { role: 'user', content: [{ type: 'input_image', image: data }] }
      const items = [photo, ITEMS['a computer call'], screen] as AgentInputItem[]
      const asked: string[] = []
      const countPart = ({ type }: { type: string }) => asked.push(type) && 100
      const { session, conversation } = await filled(items, { countPart })
      const [turn] = await conversation.listTurns()
      expect(asked).toEqual(['image_url', 'image_url'])
      expect(turn!.tokenCount).toBeGreaterThan(200)
      expect(turn!.tokenCount).toBeLessThan(350)
      expect(await session.getItems()).toStrictEqual(items)
    })

    it('refuses an image of which nobody tells the cost, and adds nothing', async () => {
      const { session } = await filled([question('Hi?')])
      const adding = session.addItems([answer('Hi.'), ITEMS['an image by id']!])
      await expect(adding).rejects.toMatchObject({ code: 'MISSING_TOKEN_COUNT' })
      expect(await session.getItems()).toStrictEqual([question('Hi?')])
    })
  })

  it.each([
    ['no array', 'secret'],
    ['no item', [question('Hi?'), 'secret']],
    ['what JSON cannot keep', [question('Hi?'), { ...answer('secret'), providerData: { at: new Date() } }]],
  ])('adds nothing when it is given %s, and repeats none of it', async (_, items) => {
    const session = open()
    const error: unknown = await session
      .addItems(items as AgentInputItem[])
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ name: 'InvalidMessageError', code: 'INVALID_MESSAGE' })
    expect(String(error)).not.toContain('secret')
    expect(await session.getItems()).toEqual([])
  })

  describe('a conversation that others write as well', () => {
    const turn: Message[] = [
      { role: 'user', content: 'Cold?', name: 'ada' },
      {
        role: 'assistant',
        content: 'One moment.',
        tool_calls: [
          { id: 'c1', type: 'function', function: { name: 'weather', arguments: '{}' } },
          { id: 'c2', type: 'function', function: { name: 'weather', arguments: '{}' } },
        ],
      },
    ]

    it('is read as items, and what is added to it is read as messages', async () => {
      const session = open()
      await session.conversation.append([...turn, { role: 'tool', tool_call_id: 'c1', content: '-3' }])
      await session.addItems([result('c2'), answer('-3 °C.')])
      expect(await session.getItems()).toEqual([
        { ...question('Cold?'), providerData: { name: 'ada' } },
        answer('One moment.'),
        call('c1'),
        call('c2'),
        result('c1'),
        result('c2'),
        answer('-3 °C.'),
      ])
      const { messages } = await session.conversation.loadWindow({ maxTokens: 1000 })
      expect(messages.slice(3)).toMatchObject([
        { role: 'tool', tool_call_id: 'c2', content: '-3' },
        { role: 'assistant', content: '-3 °C.' },
      ])
    })

    it('loses one item at a time, also of an answer that is several', async () => {
      const session = open()
      await session.conversation.append(turn)
      const popped: unknown[] = []
      for (let left = 5; left > 0; left--) popped.push(await session.popItem())
      expect(popped).toEqual([
        call('c2'),
        call('c1'),
        answer('One moment.'),
        { ...question('Cold?'), providerData: { name: 'ada' } },
        undefined,
      ])
    })

    it('has its call replaced within an answer that is several items', async () => {
      const session = open()
      await session.conversation.append(turn, { metadata: { page: 1 } })
      const replacement = { ...call('c1'), arguments: '{"city":"Oslo"}' } as ReplacedCall
      const mutations = [{ type: 'replace_function_call', callId: 'c1', replacement }] as const
      await session.applyHistoryMutations({ mutations: [...mutations] })
      expect((await session.getItems()).slice(1)).toEqual([answer('One moment.'), replacement, call('c2')])
      const [{ metadata } = {}] = await session.conversation.listTurns()
      expect(metadata).toEqual({ page: 1 })
    })
  })

  describe('a transaction', () => {
    const append = (operationId: string, ...items: AgentInputItem[]): SessionHistoryTransactionArgs => ({
      operationId,
      transaction: { type: 'append_items', items },
    })
    const replace = (
      operationId: string,
      expectedSuffix: AgentInputItem[],
      replacement: AgentInputItem[],
    ): SessionHistoryTransactionArgs => ({
      operationId,
      transaction: { type: 'replace_suffix', expectedSuffix, replacement },
    })

    it('is applied once, however often it is repeated, also when others went on meanwhile', async () => {
      const { session } = await filled([question('Hi?'), answer('No.')])
      const args = replace('run:1', [answer('No.')], [answer('Hi.')])
      await session.applyHistoryTransaction(args)
      await session.addItems([question('Bye?')])
      await session.applyHistoryTransaction(structuredClone(args))
      expect(await session.getItems()).toStrictEqual([question('Hi?'), answer('Hi.'), question('Bye?')])
    })

    it('is refused under the id of another one, which stays', async () => {
      const { session } = await filled([question('Hi?')])
      await session.applyHistoryTransaction(append('run:1', answer('Hi.')))
      for (const other of [
        append('run:1', answer('Ho.')),
        append('run:1'),
        replace('run:1', [], [answer('Hi.')]),
        replace('run:1', [answer('Hi.')], [answer('Hi.')]),
      ]) {
        await expect(session.applyHistoryTransaction(other)).rejects.toMatchObject({
          code: 'IDEMPOTENCY_CONFLICT',
        })
      }
      expect(await session.getItems()).toStrictEqual([question('Hi?'), answer('Hi.')])
    })

    it('is refused when the newest items are others, and may then be made anew', async () => {
      const { session } = await filled([question('Hi?'), answer('No.')])
      for (const suffix of [
        [answer('Hi.')],
        [question('Hi?')],
        [answer('No.'), answer('No.'), answer('No.')],
      ]) {
        const refused = session.applyHistoryTransaction(replace('run:1', suffix, []))
        await expect(refused).rejects.toMatchObject({ code: 'MESSAGES_CONFLICT' })
      }
      await session.applyHistoryTransaction(replace('run:1', [answer('No.')], []))
      expect(await session.getItems()).toStrictEqual([question('Hi?')])
    })

    it('finds items again whose keys are in another order, or whose undefined fields are gone', async () => {
      const stored = { ...(ITEMS['a hosted call'] as object), output: undefined } as AgentInputItem
      const { session } = await filled([question('Hi?'), stored])
      const { name, type, ...others } = ITEMS['a hosted call'] as unknown as Record<string, unknown>
      const suffix = [{ ...others, type, name } as unknown as AgentInputItem]
      await session.applyHistoryTransaction(replace('run:1', suffix, [answer('Hi.')]))
      expect(await session.getItems()).toStrictEqual([question('Hi?'), answer('Hi.')])
    })

    it('has an id of any form, and never another one’s', async () => {
      const session = open()
      const long = 'x'.repeat(255)
      const ids = [
        'run:1',
        'run:1 ',
        'RUN:1',
        '\0',
        '\0\0',
        '\ud800',
        '\udfff',
        '\ufffd',
        '"',
        '\\',
        'é',
        'e\u0301',
      ]
      ids.push(
        long,
        `${long}x`,
        `${long}y`,
        `${long}\0`,
        await keyOf('\0'),
        'sha256:',
        JSON.stringify('\0'),
        ' \n.',
      )
      for (const id of ids) await session.applyHistoryTransaction(append(id, answer(id)))
      for (const id of ids) await session.applyHistoryTransaction(append(id, answer(id)))
      expect(await session.getItems()).toStrictEqual(ids.map(answer))
    })

    it('may be applied again after the session was cleared', async () => {
      const session = open()
      for (let time = 0; time < 2; time++) {
        await session.applyHistoryTransaction(append('run:1', question('Hi?')))
        expect(await session.getItems()).toStrictEqual([question('Hi?')])
        await session.clearSession()
      }
    })

    it.each([
      ['nothing', undefined, 'INVALID_ARGUMENT'],
      ['no id', { ...append('x'), operationId: undefined }, 'INVALID_ID'],
      ['an empty id', append(''), 'INVALID_ID'],
      ['a blank id', append(' \n'), 'INVALID_ID'],
      ['no transaction', { operationId: 'x' }, 'INVALID_ARGUMENT'],
      ['an unknown one', { operationId: 'x', transaction: { type: 'undo' } }, 'INVALID_ARGUMENT'],
      ['no items', { operationId: 'x', transaction: { type: 'append_items' } }, 'INVALID_MESSAGE'],
      [
        'no suffix',
        { operationId: 'x', transaction: { type: 'replace_suffix', replacement: [] } },
        'INVALID_MESSAGE',
      ],
      ['what is no item', append('x', answer('Hi.'), {} as AgentInputItem), 'INVALID_MESSAGE'],
    ])('of %s is refused, and its id stays free', async (_, args, code) => {
      const session = open()
      const refused = session.applyHistoryTransaction(args as SessionHistoryTransactionArgs)
      await expect(refused).rejects.toMatchObject({ code })
      await session.applyHistoryTransaction(append('x', question('Hi?')))
      expect(await session.getItems()).toStrictEqual([question('Hi?')])
    })
  })

  it('replaces the first call of an id, and drops what it was called again', async () => {
    const items = [
      question('1'),
      call('c1'),
      result('c1'),
      question('2'),
      call('c2'),
      call('c1'),
      answer('3'),
    ]
    const { session, conversation } = await filled(items)
    const replacement = { ...call('c1'), name: 'tides' } as ReplacedCall
    const mutations = [{ type: 'replace_function_call' as const, callId: 'c1', replacement }]
    await session.applyHistoryMutations({ mutations })
    const expected = [question('1'), replacement, result('c1'), question('2'), call('c2'), answer('3')]
    expect(await session.getItems()).toStrictEqual(expected)
    await session.applyHistoryMutations({ mutations: [{ ...mutations[0]!, callId: 'c3' }] })
    expect(await session.getItems()).toStrictEqual(expected)
    expect(await conversation.listTurns()).toHaveLength(2)
  })

  it.each([
    ['nothing', undefined],
    ['no list', { mutations: 'x' }],
    ['one that there is not', { mutations: [{ type: 'drop', callId: 'c1', replacement: call('c1') }] }],
    ['one without an id', { mutations: [{ type: 'replace_function_call', replacement: call('c1') }] }],
    ['one without an item', { mutations: [{ type: 'replace_function_call', callId: 'c1' }] }],
  ])('refuses mutations that are %s', async (_, args) => {
    const { session } = await filled([question('Hi?'), call('c1')])
    await expect(session.applyHistoryMutations(args as never)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    expect(await session.getItems()).toStrictEqual([question('Hi?'), call('c1')])
  })

  describe('used by several processes at once', () => {
    it('loses nothing and doubles nothing of what they add', async () => {
      const { conversationId } = open().conversation
      const stores = [await openStore(database.url), await openStore(database.url)]
      const writers = [...stores, ...stores].map(
        (own) => new BackscrollSession({ store: own, userId: 'ada', conversationId }),
      )
      await Promise.all(
        writers.map(async (session, writer) => {
          for (let run = 0; run < 12; run++) {
            const id = `${writer}:${run}`
            await session.addItems([question(id), call(id)])
            await session.addItems([result(id)])
          }
        }),
      )
      const items = await writers[0]!.getItems()
      const asked = items.flatMap((item) =>
        'role' in item && item.role === 'user' ? [String(item.content)] : [],
      )
      for (const writer of writers.keys()) {
        const own = asked.filter((id) => id.startsWith(`${writer}:`))
        expect(own).toEqual(Array.from({ length: 12 }, (_, run) => `${writer}:${run}`))
      }
      const calls = items.flatMap((item) => (item.type === 'function_call' ? [item.callId] : []))
      const results = items.flatMap((item) => (item.type === 'function_call_result' ? [item.callId] : []))
      expect(items).toHaveLength(writers.length * 12 * 3)
      expect(calls).toEqual(asked)
      expect(results.toSorted()).toEqual(asked.toSorted())
      await Promise.all(stores.map((one) => one.close()))
    })

    it('applies a transaction once that all of them make', async () => {
      const { session, conversation } = await filled([question('Hi?'), answer('No.')])
      const { conversationId } = conversation
      const others = Array.from({ length: 6 }, () => open({ conversationId }))
      const args: SessionHistoryTransactionArgs = {
        operationId: 'run:1',
        transaction: {
          type: 'replace_suffix',
          expectedSuffix: [answer('No.')],
          replacement: [answer('Hi.')],
        },
      }
      await Promise.all(others.map((other) => other.applyHistoryTransaction(args)))
      expect(await session.getItems()).toStrictEqual([question('Hi?'), answer('Hi.')])
    })

    it('gives each item to one of those that take away the newest', async () => {
      const { conversation } = await filled([
        question('0'),
        ...Array.from({ length: 9 }, (_, n) => answer(`${n + 1}`)),
      ])
      const others = Array.from({ length: 4 }, () => open({ conversationId: conversation.conversationId }))
      const popped: AgentInputItem[] = []
      await Promise.all(
        others.map(async (other) => {
          for (let item = await other.popItem(); item; item = await other.popItem()) popped.push(item)
        }),
      )
      const texts = popped.map((item) => JSON.stringify(item).match(/"(\d)"/)?.[1])
      expect(texts.toSorted()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
    })

    it('does not drop what was added while the history was compacted', async () => {
      const { session, conversation } = await filled([question('Hi?'), answer('Hi.')])
      const load = conversation.loadWindow.bind(conversation)
      vi.spyOn(conversation, 'loadWindow').mockImplementationOnce(async (options) => {
        const window = await load(options)
        await session.addItems([question('Still there?')])
        return window
      })
      const compaction: AgentInputItem = { type: 'compaction', encrypted_content: 'gAAAAB' }
      const compacting = session.replaceHistoryWithCompaction([compaction])
      await expect(compacting).rejects.toMatchObject({ code: 'MESSAGES_CONFLICT' })
      expect(await session.getItems()).toStrictEqual([
        question('Hi?'),
        answer('Hi.'),
        question('Still there?'),
      ])
      await session.replaceHistoryWithCompaction([compaction, answer('Yes.')])
      expect(await session.getItems()).toStrictEqual([compaction, answer('Yes.')])
    })
  })

  async function filled(items: AgentInputItem[], options: Partial<BackscrollSessionOptions> = {}) {
    const session = open(options)
    await session.addItems(items)
    return { session, conversation: session.conversation }
  }
})

describe('the options of a session', () => {
  const valid = { store: { conversation: () => ({}) }, userId: 'ada', conversationId: 'one' }
  it.each<[what: string, options: unknown, code: BackscrollError['code']]>([
    ['none at all', undefined, 'INVALID_ARGUMENT'],
    ['no store', { userId: 'ada', conversationId: 'one' }, 'INVALID_ARGUMENT'],
    ['a negative maxTokens', { ...valid, maxTokens: -1 }, 'INVALID_LIMIT'],
    ['a maxTokens that is no number', { ...valid, maxTokens: '9' }, 'INVALID_LIMIT'],
    ['a retentionRatio above 1', { ...valid, retentionRatio: 1.1 }, 'INVALID_LIMIT'],
  ])('are refused when there are %s', (_, options, code) => {
    expect(() => new BackscrollSession(options as BackscrollSessionOptions)).toThrow(
      expect.objectContaining({ code }),
    )
  })

  it('are those of a conversation besides, in chat form unless something else is said', () => {
    const store = { conversation: (asked: unknown) => asked } as unknown as ConversationStore
    const options = { userId: 'ada', conversationId: 'one', encoding: 'cl100k_base' } as const
    const conversationOf = (others: object) =>
      new BackscrollSession({ store, ...options, ...others }).conversation
    expect(conversationOf({ maxTokens: 5 })).toEqual({ ...options, framing: 'chat' })
    expect(conversationOf({ framing: 'text' })).toEqual({ ...options, framing: 'text' })
  })
})
