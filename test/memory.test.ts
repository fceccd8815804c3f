import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ConversationTokenBufferMemory,
  openStore,
  type ConversationStore,
  type ConversationTokenBufferMemoryOptions,
  type EncodingName,
} from '../src/index.ts'
import { onEachDatabase } from './support/databases.ts'
import { turnOf } from './support/inspect.ts'
import { newestThatFit, oracleCount, render, textTokens } from './support/oracle.ts'
import type { SavedConversation, SaverOptions } from './support/processes/saver.ts'
import { start } from './support/processes/start.ts'
import { CHAIN } from './support/seed.ts'
import { hostileText, randomFrom } from './support/texts.ts'

/** The vocabularies under which the notebook's printed results come out alike. */
const SEED_ENCODINGS: readonly EncodingName[] = ['gpt2', 'p50k_base', 'cl100k_base', 'o200k_base']

const SMALL_TALK = [
  ['hi', 'whats up'],
  ['not much you', 'not much'],
] as const

/** What stands in the first, second, third and fourth prompt as the history, at a limit of 60 tokens. */
const CHAIN_HISTORIES = [
  '',
  "Human: Hi, what's up?\nAI:  Hi there! I'm doing great, just enjoying the day. How about you?",
  "Human: Hi, what's up?\nAI:  Hi there! I'm doing great, just enjoying the day. How about you?\n" +
    'Human: Just working on writing some documentation!\nAI:  Sounds like a productive day! What kind of documentation are you writing?',
  "Human: For LangChain! Have you heard of it?\nAI:  Yes, I have heard of LangChain! It is a decentralized language-learning platform that connects native speakers and learners in real time. Is that the documentation you're writing about?",
]

onEachDatabase('ConversationTokenBufferMemory', (database) => {
  let store: ConversationStore
  beforeAll(async () => void (store = await database.open()))

  /** A memory of its own conversation, unless the options name one. */
  let made = 0
  function memoryOf(
    options: Partial<ConversationTokenBufferMemoryOptions> = {},
  ): ConversationTokenBufferMemory {
    return new ConversationTokenBufferMemory({
      store,
      userId: 'ada',
      conversationId: `memory ${++made}`,
      ...options,
    })
  }

  describe.each(SEED_ENCODINGS)('under %s', (encoding) => {
    it('gives what the notebook printed at limit 10', async () => {
      const memory = memoryOf({ encoding, maxTokenLimit: 10, conversationId: `small talk ${encoding}` })
      expect(await memory.loadMemoryVariables({})).toEqual({ history: '' })
      for (const [input, output] of SMALL_TALK) await memory.saveContext({ input }, { output })
      expect(await memory.loadMemoryVariables({})).toEqual({ history: 'Human: not much you\nAI: not much' })
    })

    it('gives the same as messages with returnMessages', async () => {
      const memory = memoryOf({ encoding, maxTokenLimit: 10, returnMessages: true })
      expect(await memory.loadMemoryVariables({})).toEqual({ history: [] })
      for (const [input, output] of SMALL_TALK) await memory.saveContext({ input }, { output })
      expect(await memory.loadMemoryVariables({})).toEqual({
        history: [
          { role: 'user', content: 'not much you' },
          { role: 'assistant', content: 'not much' },
        ],
      })
    })

    it('gives the history of each of the four prompts of the chain at limit 60', async () => {
      const memory = memoryOf({ encoding, maxTokenLimit: 60 })
      const histories = []
      for (const [input, output] of CHAIN) {
        histories.push((await memory.loadMemoryVariables({ input }))['history'])
        await memory.saveContext({ input }, { output })
      }
      expect(histories).toEqual(CHAIN_HISTORIES)
    })
  })

  it('gives what the notebook printed from what another process saved', async () => {
    const conversations: SavedConversation[] = SEED_ENCODINGS.flatMap((encoding) => [
      { conversationId: `small talk ${encoding}`, encoding, turns: SMALL_TALK },
      ...[0, 1, 2, 3].map((turns) => ({
        conversationId: `chain ${turns} ${encoding}`,
        encoding,
        turns: CHAIN.slice(0, turns),
      })),
    ])
    const saver = start('saver', {
      url: database.url,
      userId: 'other process',
      conversations,
    } satisfies SaverOptions)
    expect(await saver.next()).toBe(4 * (2 + 0 + 1 + 2 + 3))
    expect(await saver.ended()).toBe(0)

    for (const encoding of SEED_ENCODINGS) {
      const load = (conversationId: string, maxTokenLimit: number, returnMessages = false) =>
        memoryOf({
          userId: 'other process',
          conversationId: `${conversationId} ${encoding}`,
          encoding,
          maxTokenLimit,
          returnMessages,
        }).loadMemoryVariables({})
      expect(await load('small talk', 10)).toEqual({ history: 'Human: not much you\nAI: not much' })
      expect(await load('small talk', 10, true)).toEqual({ history: turnOf('not much you', 'not much') })
      const histories = await Promise.all([0, 1, 2, 3].map((turns) => load(`chain ${turns}`, 60)))
      expect(histories.map(({ history }) => history)).toEqual(CHAIN_HISTORIES)
    }
  })

  it('counts the joined string, also when it returns messages', async () => {
    const count = oracleCount('o200k_base')
    const history = 'Human: hi\nAI: whats up\nHuman: not much you\nAI: not much'
    const conversationId = 'joined'
    const load = (maxTokenLimit: number, returnMessages: boolean) =>
      memoryOf({ conversationId, maxTokenLimit, returnMessages }).loadMemoryVariables({})
    for (const [input, output] of SMALL_TALK)
      await memoryOf({ conversationId }).saveContext({ input }, { output })

    const all = [...turnOf('hi', 'whats up'), ...turnOf('not much you', 'not much')]
    expect(await load(count(history), false)).toEqual({ history })
    expect(await load(count(history), true)).toEqual({ history: all })
    expect(await load(count(history) - 1, false)).toEqual({ history: 'Human: not much you\nAI: not much' })
    expect(await load(count(history) - 1, true)).toEqual({ history: all.slice(2) })
    expect(await load(0, false)).toEqual({ history: '' })
    expect(await load(0, true)).toEqual({ history: [] })
  })

  it('never gives a history over its limit, nor one turn less than fits, and leaves every content as it was', async () => {
    const prefixes = { humanPrefix: 'Frage', aiPrefix: '🤖' }
    const tokens = textTokens(oracleCount('o200k_base'), prefixes)
    for (let seed = 1; seed <= 25; seed++) {
      const random = randomFrom(seed)
      const turns = Array.from({ length: 6 }, () => turnOf(hostileText(random), hostileText(random)))
      const options = { ...prefixes, conversationId: `hostile ${seed}` }
      for (const [user, assistant] of turns)
        await memoryOf(options).saveContext({ input: user!.content }, { output: assistant!.content })
      for (const maxTokenLimit of [random.below(tokens(turns)), tokens(turns.slice(-3)), 2000]) {
        const newest = turns.slice(turns.length - newestThatFit(turns, maxTokenLimit, tokens)).flat()
        const load = (returnMessages: boolean) =>
          memoryOf({ ...options, maxTokenLimit, returnMessages }).loadMemoryVariables({})
        const label = `seed ${seed}, limit ${maxTokenLimit}`
        expect(await load(false), label).toEqual({ history: render(newest, prefixes) })
        expect(await load(true), label).toEqual({ history: newest })
      }
    }
  })

  it('has a limit of 2000 tokens, the encoding o200k_base and the names of the notebook unless told otherwise', async () => {
    expect(memoryOf()).toMatchObject({
      maxTokenLimit: 2000,
      returnMessages: false,
      memoryKey: 'history',
      memoryKeys: ['history'],
      humanPrefix: 'Human',
      aiPrefix: 'AI',
      inputKey: undefined,
      outputKey: undefined,
      encoding: 'o200k_base',
      retentionRatio: 1,
    })
  })

  it('gives the history under the memory key', async () => {
    const memory = memoryOf({ memoryKey: 'chat' })
    await memory.saveContext({ input: 'hi', chat: 'what was said before' }, { output: 'whats up' })
    expect(memory.memoryKeys).toEqual(['chat'])
    expect(await memory.loadMemoryVariables({})).toEqual({ chat: 'Human: hi\nAI: whats up' })
    expect(await memory.loadMemoryVariables()).toEqual({ chat: 'Human: hi\nAI: whats up' })
  })

  it('moves the start of the history by whole steps below a retentionRatio of 1', async () => {
    const load = (retentionRatio: number) =>
      memoryOf({ conversationId: 'retained', maxTokenLimit: 90, retentionRatio }).loadMemoryVariables({})
    const saver = memoryOf({ conversationId: 'retained' })
    // Each turn is 9 tokens, 8 as the newest: ten turns are 89. A step is 45, so that the eleventh drops five.
    for (let turn = 1; turn <= 11; turn++) await saver.saveContext({ input: 'hi' }, { output: 'whats up' })
    expect(await load(1)).toEqual({ history: Array(10).fill('Human: hi\nAI: whats up').join('\n') })
    expect(await load(0.5)).toEqual({ history: Array(6).fill('Human: hi\nAI: whats up').join('\n') })
  })

  it('gives the window behind the history, under its own limit or a lower one, and the conversation itself', async () => {
    const memory = memoryOf({ maxTokenLimit: 12 })
    for (const [input, output] of SMALL_TALK) await memory.saveContext({ input }, { output })
    const positions = async (maxTokens?: number) =>
      (await memory.loadWindow({ maxTokens })).turns.map(({ position }) => position)
    expect(await positions()).toEqual([2])
    expect(await positions(1000)).toEqual([2])
    expect(await positions(5)).toEqual([])
    await expect(positions(NaN)).rejects.toMatchObject({ code: 'INVALID_LIMIT' })
    expect(await memory.conversation.loadWindow({ maxTokens: 1000 })).toMatchObject({ omittedTurns: 0 })
    expect(memory.render((await memory.loadWindow()).messages)).toBe('Human: not much you\nAI: not much')
  })

  it('drops everything with clear', async () => {
    const memory = memoryOf()
    await memory.saveContext({ input: 'hi' }, { output: 'whats up' })
    await memory.clear()
    expect(await memory.loadMemoryVariables({})).toEqual({ history: '' })
    await memory.saveContext({ input: 'again' }, { output: 'hello' })
    expect(await memory.loadMemoryVariables({})).toEqual({ history: 'Human: again\nAI: hello' })
  })

  it('saves a turn once under one idempotency key, and refuses another under it', async () => {
    const memory = memoryOf()
    const options = { idempotencyKey: 'request-1' }
    await memory.saveContext({ input: 'hi' }, { output: 'whats up' }, options)
    await memory.saveContext({ input: 'hi' }, { output: 'whats up' }, options)
    const other = memory.saveContext({ input: 'hi' }, { output: 'not much' }, options)
    await expect(other).rejects.toMatchObject({
      name: 'IdempotencyConflictError',
      code: 'IDEMPOTENCY_CONFLICT',
    })
    expect(await memory.loadMemoryVariables({})).toEqual({ history: 'Human: hi\nAI: whats up' })
  })

  it('saves nothing when the signal has aborted', async () => {
    const memory = memoryOf()
    const signal = AbortSignal.abort(new RangeError('the person left'))
    const saving = memory.saveContext({ input: 'hi' }, { output: 'whats up' }, { signal })
    await expect(saving).rejects.toThrow(new RangeError('the person left'))
    expect(await memory.loadMemoryVariables({})).toEqual({ history: '' })
  })

  type Values = Record<string, unknown>
  type Keys = Pick<ConversationTokenBufferMemoryOptions, 'inputKey' | 'outputKey' | 'memoryKey'>

  it.each<[what: string, keys: Keys, inputs: Values, outputs: Values, turn: [string, string]]>([
    ['the only input and the only output', {}, { question: 'q' }, { text: 'a' }, ['q', 'a']],
    ['empty strings', {}, { input: '' }, { output: '' }, ['', '']],
    [
      'contents as they are',
      {},
      { input: ' \n q\r\n' },
      { output: '\0\ud800 a \n\n' },
      [' \n q\r\n', '\0\ud800 a \n\n'],
    ],
    ['the input beside the history', {}, { history: 'h', input: 'q' }, { output: 'a' }, ['q', 'a']],
    [
      'the input beside stop, signal and timeout',
      {},
      { stop: ['x'], signal: AbortSignal.abort(), timeout: 5, input: 'q' },
      { output: 'a' },
      ['q', 'a'],
    ],
    [
      'the input beside another memory key',
      { memoryKey: 'chat' },
      { chat: 'c', q: 'q' },
      { output: 'a' },
      ['q', 'a'],
    ],
    [
      'the input named history when that is not the memory key',
      { memoryKey: 'chat' },
      { history: 'q' },
      { o: 'a' },
      ['q', 'a'],
    ],
    [
      'the input that inputKey names',
      { inputKey: 'two' },
      { one: '1', two: '2' },
      { output: 'a' },
      ['2', 'a'],
    ],
    [
      'the output that outputKey names',
      { outputKey: 'two' },
      { input: 'q' },
      { one: '1', two: '2' },
      ['q', '2'],
    ],
    [
      'the output that outputKey names before output',
      { outputKey: 'text' },
      { i: 'q' },
      { output: 'o', text: 't' },
      ['q', 't'],
    ],
    [
      'the output named output among several',
      {},
      { input: 'q' },
      { text: 't', output: 'o', n: 1 },
      ['q', 'o'],
    ],
    [
      'an object as JSON text',
      {},
      { input: 'q' },
      { output: { a: [1, 'é', null] } },
      ['q', '{"a":[1,"é",null]}'],
    ],
    ['a number as JSON text', {}, { input: 'q' }, { output: 42 }, ['q', '42']],
    ['null as JSON text', {}, { input: 'q' }, { output: null }, ['q', 'null']],
    ['false as JSON text', {}, { input: 'q' }, { output: false }, ['q', 'false']],
    ['a list as JSON text', {}, { input: 'q' }, { output: [] }, ['q', '[]']],
  ])('saves %s', async (_, keys, inputs, outputs, [question, answer]) => {
    const memory = memoryOf({ ...keys, returnMessages: true })
    await memory.saveContext(inputs, outputs)
    expect(await memory.loadMemoryVariables({})).toEqual({ [memory.memoryKey]: turnOf(question, answer) })
  })

  const cyclic: Values = {}
  cyclic['self'] = cyclic

  it.each<[what: string, keys: Keys, inputs: Values, outputs: Values, named: string[]]>([
    ['several inputs', {}, { one: '1', two: '2' }, { output: 'a' }, ["'one'", "'two'", 'inputKey']],
    ['no input', {}, {}, { output: 'a' }, ['no keys']],
    ['only the history', {}, { history: 'h' }, { output: 'a' }, ["'history'"]],
    [
      'only settings',
      {},
      { stop: 's', signal: 's', timeout: 's' },
      { output: 'a' },
      ["'stop'", "'signal'", "'timeout'"],
    ],
    [
      'an inputKey that is not there',
      { inputKey: 'q' },
      { one: '1', two: '2' },
      { output: 'a' },
      ["'q'", "'one'", "'two'"],
    ],
    [
      'an inputKey that every object inherits',
      { inputKey: 'toString' },
      { one: '1' },
      { output: 'a' },
      ["'toString'", "'one'"],
    ],
    ['an input that is not a string', {}, { input: 7 }, { output: 'a' }, ["'input'", '7']],
    ['an input that is undefined', {}, { input: undefined }, { output: 'a' }, ["'input'", 'undefined']],
    ['several outputs', {}, { input: 'q' }, { one: '1', two: '2' }, ["'one'", "'two'", 'outputKey']],
    ['no output', {}, { input: 'q' }, {}, ['no keys']],
    [
      'an outputKey that is not there',
      { outputKey: 'a' },
      { input: 'q' },
      { output: 'o' },
      ["'a'", "'output'"],
    ],
    ['an output that is undefined', {}, { input: 'q' }, { output: undefined }, ["'output'", 'undefined']],
    ['an output that is a function', {}, { input: 'q' }, { output: () => 'a' }, ["'output'", 'function']],
    ['an output that refers to itself', {}, { input: 'q' }, { output: cyclic }, ["'output'", 'object']],
    ['an output that JSON cannot hold', {}, { input: 'q' }, { output: 1n }, ["'output'", 'bigint']],
  ])(
    'refuses %s, names the keys that it found, and writes nothing',
    async (what, keys, inputs, outputs, named) => {
      const userId = `refused: ${what}`
      const refused: unknown = await memoryOf({ ...keys, userId })
        .saveContext(inputs, outputs)
        .catch((error: unknown) => error)
      expect(refused).toMatchObject({ name: 'UnresolvedKeyError', code: 'UNRESOLVED_KEY' })
      for (const name of named) expect((refused as Error).message).toContain(name)
      expect(await store.listConversations(userId)).toEqual([])
    },
  )

  it.each([null, undefined, 'hi', ['hi']])('refuses %j instead of values by key', async (values) => {
    const userId = 'refused values'
    const memory = memoryOf({ userId })
    const refused = { name: 'InvalidArgumentError', code: 'INVALID_ARGUMENT' }
    await expect(memory.saveContext(values as never, { output: 'a' })).rejects.toMatchObject(refused)
    await expect(memory.saveContext({ input: 'q' }, values as never)).rejects.toMatchObject(refused)
    expect(await store.listConversations(userId)).toEqual([])
  })

  it('keeps the values themselves out of its errors', async () => {
    const secret = 'my secret'
    const refused: unknown = await memoryOf()
      .saveContext({ one: secret, two: secret }, { output: secret })
      .catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'UNRESOLVED_KEY' })
    expect(String(refused)).not.toContain(secret)
  })
})

describe('a memory that is constructed', () => {
  let store: ConversationStore
  beforeAll(async () => void (store = await openStore('sqlite::memory:')))
  afterAll(() => store.close())
  const construct = (options: object) => () =>
    new ConversationTokenBufferMemory({ store, userId: 'ada', conversationId: 'a', ...options })

  it.each([
    ['gpt-5.1', 'o200k_base'],
    ['gpt-4o-2024-08-06', 'o200k_base'],
    ['ft:gpt-4o-mini-2024-07-18:org::id', 'o200k_base'],
    ['gpt-3.5-turbo', 'cl100k_base'],
    ['text-davinci-003', 'p50k_base'],
  ])('counts for the model %s in %s', (model, encoding) => {
    expect(construct({ model })().encoding).toBe(encoding)
  })

  it.each<[options: object, code: string]>([
    [{ model: 'claude-9' }, 'UNKNOWN_MODEL'],
    [{ model: '' }, 'UNKNOWN_MODEL'],
    [{ encoding: 'o300k_base' }, 'UNKNOWN_ENCODING'],
    [{ encoding: '' }, 'UNKNOWN_ENCODING'],
    [{ encoding: 'gpt2', model: 'gpt-4o' }, 'INVALID_ARGUMENT'],
    [{ humanPrefix: '/u' }, 'INVALID_FRAMING'],
    [{ aiPrefix: '' }, 'INVALID_FRAMING'],
    [{ maxTokenLimit: -1 }, 'INVALID_LIMIT'],
    [{ maxTokenLimit: Number.NaN }, 'INVALID_LIMIT'],
    [{ maxTokenLimit: '2000' }, 'INVALID_LIMIT'],
    [{ retentionRatio: 1.5 }, 'INVALID_LIMIT'],
    [{ returnMessages: 'yes' }, 'INVALID_ARGUMENT'],
    [{ memoryKey: '' }, 'INVALID_ARGUMENT'],
    [{ inputKey: 7 }, 'INVALID_ARGUMENT'],
    [{ outputKey: '' }, 'INVALID_ARGUMENT'],
    [{ store: undefined }, 'INVALID_ARGUMENT'],
  ])('refuses %j at once', (options, code) => {
    expect(construct(options)).toThrow(expect.objectContaining({ code }))
  })
})
