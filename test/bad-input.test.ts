import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { encryption } from '../src/encryption.ts'
import {
  BackscrollError,
  ConversationChain,
  ConversationTokenBufferMemory,
  encodingForModel,
  openStore,
  textFraming,
  type ConversationSummary,
  type StoredTurn,
} from '../src/index.ts'
import { postgresStore } from '../src/postgres.ts'
import { sqliteStore } from '../src/sqlite.ts'
import { clientOf, collect } from './support/chains.ts'
import { onEachDatabase } from './support/databases.ts'
import { startModelServer, type ModelServer } from './support/model-server.ts'

/** A caller without types: the wall is for JavaScript, and for values that came from outside. */
// oxlint-disable-next-line typescript/no-explicit-any
type Untyped = any

/** Fixed, so that a failure comes again; a failure prints the values it shrank to. */
const SEED = 20261122

const TURN = [{ role: 'user', content: 'hi' }]

/** What is wrong as an id, and what the error calls it. */
const NOT_IDS: readonly (readonly [value: unknown, called: string])[] = [
  ['', 'an empty string'],
  ['a\0b', 'a string of 3 characters'],
  ['\ud83d', 'a string of 1 characters'],
  ['x\udc00y', 'a string of 3 characters'],
  [undefined, 'undefined'],
  [null, 'null'],
  [42, '42'],
  [42n, 'a bigint'],
  [Symbol('ada'), 'a symbol'],
  [['ada'], 'an array of 1'],
  [new String('ada'), 'an object'],
  [() => 'ada', 'a function'],
]

const NOT_WHOLE: readonly (readonly [value: unknown, called: string])[] = [
  [-1, '-1'],
  [0.5, '0.5'],
  [NaN, 'NaN'],
  [Infinity, 'Infinity'],
  [-Infinity, '-Infinity'],
  [2 ** 53, '9007199254740992'],
  ['10', 'a string of 2 characters'],
  [10n, 'a bigint'],
  [null, 'null'],
  [true, 'a boolean'],
  [[10], 'an array of 1'],
  [{}, 'an object'],
  [new Number(10), 'an object'],
]

const NOT_OPTIONS: readonly (readonly [value: unknown, called: string])[] = [
  [null, 'null'],
  [5, '5'],
  ['x', 'a string of 1 characters'],
  [[], 'an array of 0'],
  [true, 'a boolean'],
  [() => {}, 'a function'],
  [Symbol('x'), 'a symbol'],
]

onEachDatabase('bad input', (database) => {
  let store: Untyped
  let conversation: Untyped
  let turns: StoredTurn[]
  let list: ConversationSummary[]

  beforeAll(async () => {
    store = await database.open()
    conversation = store.conversation({ userId: 'ada', conversationId: 'one' })
    await conversation.append(TURN, { idempotencyKey: 'first', metadata: { kept: true } })
    turns = await conversation.listTurns()
    list = await store.listConversations('ada')
  })

  /** Whatever was refused in a test, nothing of it was written. The next test starts from what is there. */
  afterEach(async () => {
    const before = { turns, list }
    turns = await conversation.listTurns()
    list = await store.listConversations('ada')
    expect({ turns, list }).toEqual(before)
  })

  describe('ids', () => {
    it.each([...NOT_IDS, ...tooLong(512)])('%o is no user id and no conversation id', async (id, called) => {
      const calls: Record<string, () => unknown> = {
        'userId in conversation': () => store.conversation({ userId: id, conversationId: 'one' }),
        'conversationId in conversation': () => store.conversation({ userId: 'ada', conversationId: id }),
        'userId in listConversations': () => store.listConversations(id),
        'userId in forgetUser': () => store.forgetUser(id),
        'userId in memory': () => memoryOf({ store, userId: id, conversationId: 'one' }),
        'conversationId in memory': () => memoryOf({ store, userId: 'ada', conversationId: id }),
      }
      for (const [name, call] of Object.entries(calls)) {
        const error = await failure(call)
        expect(error, name).toMatchObject({ name: 'InvalidIdError', code: 'INVALID_ID' })
        expect(error.message, name).toMatch(
          new RegExp(`^${name.split(' ')[0]} must be .*; got ${called}\\.$`),
        )
      }
    })

    it.each([...NOT_IDS.filter(([key]) => key !== undefined), ...tooLong(255)])(
      '%o is no idempotency key',
      async (idempotencyKey: Untyped, called) => {
        const error = await failure(() => conversation.append(TURN, { idempotencyKey }))
        expect(error).toMatchObject({ name: 'InvalidIdError', code: 'INVALID_ID' })
        expect(error.message).toMatch(new RegExp(`^idempotencyKey must be .*; got ${called}\\.$`))
        const memory = memoryOf({ store, userId: 'ada', conversationId: 'one' })
        const save = () => memory.saveContext({ input: 'hi' }, { output: 'ho' }, { idempotencyKey })
        expect(await failure(save)).toMatchObject({ code: 'INVALID_ID' })
      },
    )

    it.each([
      ['a'.repeat(512), 'b'.repeat(512), 'c'.repeat(255)],
      [`${'€'.repeat(170)}ab`, '𝄞'.repeat(128), '€'.repeat(85)],
    ])('takes the longest ones, 512 and 255 UTF-8 bytes: case %#', async (userId, conversationId, key) => {
      const longest = store.conversation({ userId, conversationId })
      const first = await longest.append(TURN, { idempotencyKey: key })
      expect(first).toMatchObject({ position: 1, replayed: false })
      expect(await longest.append(TURN, { idempotencyKey: key })).toMatchObject({
        position: 1,
        replayed: true,
      })
      expect(await store.listConversations(userId)).toMatchObject([{ conversationId, turnCount: 1 }])
      expect(await store.forgetUser(userId)).toEqual({ conversations: 1, turns: 1 })
    })
  })

  describe('numbers', () => {
    it.each(NOT_WHOLE)('%o is no limit and no position', async (value, called) => {
      const calls: Record<string, () => unknown> = {
        'maxTokens in loadWindow': () => conversation.loadWindow({ maxTokens: value }),
        'after in listTurns': () => conversation.listTurns({ after: value }),
        'before in listTurns': () => conversation.listTurns({ before: value }),
        'limit in listTurns': () => conversation.listTurns({ limit: value }),
        'to in rewind': () => conversation.rewind({ to: value }),
        'expectedPosition in append': () => conversation.append(TURN, { expectedPosition: value }),
        'limit in listConversations': () => store.listConversations('ada', { limit: value }),
        ...(value !== null && {
          'maxTokenLimit in memory': () =>
            memoryOf({ store, userId: 'ada', conversationId: 'one', maxTokenLimit: value }),
          'maxConnections in openStore': () => openStore(database.url, { maxConnections: value as number }),
          'deadlineMs in openStore': () => openStore(database.url, { deadlineMs: value as number }),
          'maxTurnCharacters in openStore': () =>
            openStore(database.url, { maxTurnCharacters: value as number }),
        }),
      }
      for (const [name, call] of Object.entries(calls)) {
        const error = await failure(call)
        expect(error, name).toMatchObject({ name: 'InvalidLimitError', code: 'INVALID_LIMIT' })
        const range = /must be a whole number, (\d+ or more|from \d+ to \d+); got /
        expect(error.message, name).toMatch(range)
        expect(error.message.split(' ')[0], name).toBe(name.split(' ')[0])
        expect(error.message.split('; got ')[1], name).toBe(`${called}.`)
      }
    })

    it('names the bounds that a number is outside of', async () => {
      const messages = await Promise.all(
        [
          () => conversation.loadWindow(),
          () => conversation.rewind(),
          () => conversation.listTurns({ limit: 0 }),
          () => conversation.listTurns({ limit: 1001 }),
          () => store.listConversations('ada', { limit: 1001 }),
          () => openStore(database.url, { deadlineMs: 0 }),
          () => openStore(database.url, { deadlineMs: 3_600_001 }),
          () => openStore(database.url, { maxTurnCharacters: 4_000_001 }),
          () => openStore(database.url, { maxConnections: 1001 }),
        ].map(async (call) => (await failure(call)).message),
      )
      expect(messages).toEqual([
        'maxTokens must be a whole number, 0 or more; got undefined.',
        'to must be a whole number, 0 or more; got undefined.',
        'limit must be a whole number, from 1 to 1000; got 0.',
        'limit must be a whole number, from 1 to 1000; got 1001.',
        'limit must be a whole number, from 1 to 1000; got 1001.',
        'deadlineMs must be a whole number, from 1 to 3600000; got 0.',
        'deadlineMs must be a whole number, from 1 to 3600000; got 3600001.',
        'maxTurnCharacters must be a whole number, from 1 to 4000000; got 4000001.',
        'maxConnections must be a whole number, from 1 to 1000; got 1001.',
      ])
    })

    it('takes the largest numbers there are', async () => {
      const most = Number.MAX_SAFE_INTEGER
      expect(await conversation.loadWindow({ maxTokens: most })).toMatchObject({ omittedTurns: 0 })
      const stepped = await conversation.loadWindow({ maxTokens: most, retentionRatio: 0 })
      expect(stepped.turns).toHaveLength(1)
      expect(await conversation.listTurns({ after: most, limit: 1000 })).toEqual([])
      expect(await conversation.listTurns({ before: most, limit: 1 })).toHaveLength(1)
      expect(await conversation.rewind({ to: most })).toEqual({ turns: 0 })
      const error = await failure(() => conversation.append(TURN, { expectedPosition: most }))
      expect(error).toMatchObject({ code: 'POSITION_CONFLICT', actualPosition: 1 })
    })

    it.each([-0.1, 1.1, NaN, Infinity, '1', 1n, true, [1]])('%o is no ratio', async (retentionRatio) => {
      for (const call of [
        () => conversation.loadWindow({ maxTokens: 10, retentionRatio }),
        () => memoryOf({ store, userId: 'ada', conversationId: 'one', retentionRatio }),
      ]) {
        const error = await failure(call)
        expect(error).toMatchObject({ name: 'InvalidLimitError', code: 'INVALID_LIMIT' })
        expect(error.message).toMatch(/^retentionRatio must be a number from 0 to 1; got /)
      }
    })
  })

  describe('options', () => {
    it.each(NOT_OPTIONS)('%o is no object of options', async (options, called) => {
      const memory = memoryOf({ store, userId: 'ada', conversationId: 'one' })
      const calls: Record<string, () => unknown> = {
        conversation: () => store.conversation(options),
        append: () => conversation.append(TURN, options),
        loadWindow: () => conversation.loadWindow(options),
        listTurns: () => conversation.listTurns(options),
        findTurn: () => conversation.findTurn('k', options),
        countedAs: () => conversation.countedAs(options),
        rewind: () => conversation.rewind(options),
        clear: () => conversation.clear(options),
        recount: () => conversation.recount(options),
        setMetadata: () => conversation.setMetadata({ a: 1 }, options),
        listConversations: () => store.listConversations('ada', options),
        forgetUser: () => store.forgetUser('ada', options),
        reencrypt: () => store.reencrypt('ada', options),
        migrate: () => store.migrate(options),
        openStore: () => openStore(database.url, options as never),
        textFraming: () => textFraming(options as never),
        'memory.saveContext': () => memory.saveContext({ input: 'hi' }, { output: 'ho' }, options as never),
        'memory.loadMemoryVariables': () => memory.loadMemoryVariables({}, options as never),
        'memory.loadWindow': () => memory.loadWindow(options as never),
        'memory.clear': () => memory.clear(options as never),
      }
      for (const [name, call] of Object.entries(calls)) {
        const error = await failure(call)
        expect(error.code, name).toMatch(/^INVALID_(ARGUMENT|FRAMING)$/)
        expect(error.message, name).toMatch(new RegExp(`object of options; got ${called}\\.$`))
      }
      const constructed = await failure(() => memoryOf(options))
      expect(constructed).toMatchObject({ code: 'INVALID_ARGUMENT', message: NEEDS_A_STORE })
    })

    it.each([5, 'now', {}, true, null])('%o is no signal', async (signal) => {
      const calls: Record<string, () => unknown> = {
        append: () => conversation.append(TURN, { signal }),
        loadWindow: () => conversation.loadWindow({ maxTokens: 10, signal }),
        listTurns: () => conversation.listTurns({ signal }),
        findTurn: () => conversation.findTurn('k', { signal }),
        countedAs: () => conversation.countedAs({ signal }),
        rewind: () => conversation.rewind({ to: 0, signal }),
        clear: () => conversation.clear({ signal }),
        recount: () => conversation.recount({ signal }),
        setMetadata: () => conversation.setMetadata({ a: 1 }, { signal }),
        listConversations: () => store.listConversations('ada', { signal }),
        forgetUser: () => store.forgetUser('ada', { signal }),
        reencrypt: () => store.reencrypt('ada', { signal }),
        migrate: () => store.migrate({ signal }),
      }
      for (const [name, call] of Object.entries(calls)) {
        const error = await failure(call)
        expect(error, name).toMatchObject({ name: 'InvalidArgumentError', code: 'INVALID_ARGUMENT' })
        expect(error.message, name).toMatch(/^signal must be an AbortSignal; got /)
      }
    })

    it.each(['o300k_base', 'O200K_BASE', '', 'gpt-4o', 7, {}, ['gpt2']])(
      '%o is no encoding',
      async (encoding) => {
        for (const call of [
          () => store.conversation({ userId: 'ada', conversationId: 'one', encoding }),
          () => conversation.recount({ encoding }),
          () => memoryOf({ store, userId: 'ada', conversationId: 'one', encoding }),
        ]) {
          const error = await failure(call)
          expect(error).toMatchObject({ name: 'UnknownEncodingError', code: 'UNKNOWN_ENCODING' })
          expect(error.message).toMatch(/ Name one of gpt2, .*, o200k_base\.$/)
        }
      },
    )

    it.each(['claude-fable-5', '', 'gpt', 7, {}, null])('%o is no model', async (model) => {
      for (const call of [
        () => encodingForModel(model),
        () => memoryOf({ store, userId: 'ada', conversationId: 'one', model }),
      ]) {
        const error = await failure(call)
        expect(error).toMatchObject({ name: 'UnknownModelError', code: 'UNKNOWN_MODEL' })
        expect(error.message).toMatch(/ Name the `encoding` instead, one of gpt2, /)
      }
    })

    it('takes an encoding or a model, not both', async () => {
      const both = { store, userId: 'ada', conversationId: 'one', encoding: 'gpt2', model: 'gpt-4o' }
      const error = await failure(() => memoryOf(both))
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
      expect(error.message).toBe('Give the memory an encoding or a model, not both.')
    })

    it.each(['', ' x', '\nU', '/u', 'a\nb', 'a\rb', '\u3000x', '\ud800', 5, null, {}])(
      '%o is no prefix',
      async (prefix) => {
        const id = { userId: 'ada', conversationId: 'one' }
        for (const call of [
          () => textFraming({ humanPrefix: prefix as string }),
          () => textFraming({ aiPrefix: prefix as string }),
          () => store.conversation({ ...id, framing: { kind: 'text', humanPrefix: prefix, aiPrefix: 'AI' } }),
          () => conversation.recount({ framing: { kind: 'text', humanPrefix: 'A', aiPrefix: prefix } }),
          () => memoryOf({ store, ...id, humanPrefix: prefix }),
          () => memoryOf({ store, ...id, aiPrefix: prefix }),
        ]) {
          const error = await failure(call)
          expect(error).toMatchObject({ name: 'InvalidFramingError', code: 'INVALID_FRAMING' })
          expect(error.message).toMatch(/^(human|ai)Prefix must begin with .* and hold no line break/)
        }
      },
    )

    it.each(['texts', '', 5, {}, { kind: 'html' }, ['text']])('%o is no framing', async (framing) => {
      for (const call of [
        () => store.conversation({ userId: 'ada', conversationId: 'one', framing }),
        () => conversation.recount({ framing }),
      ]) {
        const error = await failure(call)
        expect(error).toMatchObject({ name: 'InvalidFramingError', code: 'INVALID_FRAMING' })
        expect(error.message).toMatch(/^framing must be 'text', 'chat' or textFraming\(/)
      }
    })

    it.each([
      '',
      'x',
      5,
      null,
      {},
      cursorOf([]),
      cursorOf(['1', 'one']),
      cursorOf([1]),
      cursorOf([1, '']),
      cursorOf([1, 'a\0b']),
      cursorOf([0.5, 'one']),
      cursorOf([2 ** 53, 'one']),
      cursorOf([1e16, 'one']),
      cursorOf([-1, 'one']),
    ])('%o is no cursor', async (before) => {
      const error = await failure(() => store.listConversations('ada', { before }))
      expect(error).toMatchObject({ name: 'InvalidArgumentError', code: 'INVALID_ARGUMENT' })
      expect(error.message).toMatch(/^before must be the cursor of a conversation in a list; got /)
    })

    it.each(['x', 5, {}, null])('%o is no countPart', async (countPart) => {
      const options = { userId: 'ada', conversationId: 'one', framing: 'chat', countPart }
      const error = await failure(() => store.conversation(options))
      expect(error).toMatchObject({ name: 'InvalidArgumentError', code: 'INVALID_ARGUMENT' })
      expect(error.message).toMatch(/^countPart must be a function \(part\) => tokens; got /)
    })

    it.each([-1, 0.5, NaN, '3', 3n, undefined, 2 ** 31])('%o is no count of a part', async (tokens) => {
      const chat = store.conversation({
        userId: 'ada',
        conversationId: 'pictures',
        framing: 'chat',
        countPart: () => tokens,
      })
      const picture = { type: 'image_url', image_url: { url: 'https://example.org/cat.png' } }
      const error = await failure(() => chat.append([{ role: 'user', content: [picture] }]))
      expect(error).toMatchObject({ name: 'InvalidArgumentError', code: 'INVALID_ARGUMENT' })
      expect(error.message).toMatch(
        /^(countPart must return a whole number of tokens, .*; got |A turn may cost at most 2147483647 tokens)/,
      )
    })

    it.each([{}, Object.create(null), 5, null, undefined, 'tx', Promise.resolve()])(
      '%o is no transaction',
      async (tx) => {
        const error = await failure(() => store.withTransaction(tx))
        expect(error).toMatchObject({ name: 'InvalidArgumentError', code: 'INVALID_ARGUMENT' })
        expect(error.message).toMatch(/^withTransaction takes the transaction that /)
      },
    )

    it.each(['no', 1, {}])('openStore does not take %o for a yes or a no', async (value) => {
      for (const name of ['migrate', 'preparedStatements']) {
        const error = await failure(() => openStore(database.url, { [name]: value as never }))
        expect(error, name).toMatchObject({ name: 'InvalidArgumentError', code: 'INVALID_ARGUMENT' })
        expect(error.message).toMatch(new RegExp(`^${name} must be true or false; got `))
      }
    })
  })

  describe('messages', () => {
    const cyclic: Record<string, unknown> = { role: 'user', content: 'x' }
    cyclic['self'] = cyclic
    const hidden = (json: unknown) => ({ role: 'user', content: 'x', toJSON: () => json })
    const throwing = {
      role: 'user',
      content: 'x',
      toJSON: () => {
        throw new RangeError('Not today.')
      },
    }
    const getter = {
      role: 'user',
      get content(): string {
        throw new RangeError('Not today.')
      },
    }
    let nested: unknown = 'core'
    for (let depth = 0; depth < 100_000; depth++) nested = [nested]

    it.each<readonly [unknown, string | RegExp]>([
      [undefined, 'A turn is an array of at least one message; got undefined.'],
      [null, 'A turn is an array of at least one message; got null.'],
      ['hi', 'A turn is an array of at least one message; got a string of 2 characters.'],
      [TURN[0], 'A turn is an array of at least one message; got an object.'],
      [[], 'A turn is an array of at least one message; got an array of 0.'],
      [[null], 'messages[0] must be an object with a role and content; got null.'],
      // oxlint-disable-next-line no-sparse-arrays
      [[TURN[0], , TURN[0]], /^messages\[1\] must be an object with a role and content; got /],
      [
        [TURN[0], 'hi'],
        'messages[1] must be an object with a role and content; got a string of 2 characters.',
      ],
      [[['hi']], 'messages[0] must be an object with a role and content; got an array of 1.'],
      [[{ content: 'x' }], /^messages\[0\]\.role must be one of system, .*, tool; got undefined\.$/],
      [[{ role: 'bot', content: 'x' }], /^messages\[0\]\.role must be .*; got a string of 3 characters\.$/],
      [[{ role: ['user'], content: 'x' }], /^messages\[0\]\.role must be .*; got an array of 1\.$/],
      [[{ role: 'user' }], /^messages\[0\]\.content must be a string or an array .*; got undefined\.$/],
      [[{ role: 'user', content: null }], /^messages\[0\]\.content must be .*; got null\.$/],
      [[{ role: 'user', content: 5 }], /^messages\[0\]\.content must be .*; got 5\.$/],
      [[{ role: 'user', content: { text: 'x' } }], /^messages\[0\]\.content must be .*; got an object\.$/],
      [[{ role: 'assistant', content: false }], /^messages\[0\]\.content must be .*; got a boolean\.$/],
      [[{ role: 'tool', content: null, tool_call_id: '1' }], /^messages\[0\]\.content must be .*; got null/],
      [[{ role: 'user', content: ['x'] }], /content: each part must be an object with a type; got a string/],
      [[{ role: 'user', content: [null] }], /content: each part must be an object with a type; got null/],
      [[{ role: 'user', content: [{ text: 'x' }] }], /content: each part must be an object with a type/],
      [[{ role: 'user', content: [{ type: 'text' }] }], /content: a part of type text must have a text/],
      [[{ role: 'user', content: [{ type: 'text', text: 5 }] }], /a part of type text must have a text/],
      [[{ role: 'assistant', content: [{ type: 'refusal' }] }], /a part of type refusal must have a refusal/],
      [[{ role: 'user', content: 'x', name: 5 }], 'messages[0].name must be a string; got 5.'],
      [[{ role: 'assistant', refusal: {} }], 'messages[0].refusal must be a string; got an object.'],
      [
        [{ role: 'tool', content: 'x', tool_call_id: 7 }],
        'messages[0].tool_call_id must be a string; got 7.',
      ],
      [
        [{ role: 'assistant', tool_calls: 'x' }],
        /^messages\[0\]\.tool_calls must be an array of objects; got /,
      ],
      [
        [{ role: 'assistant', tool_calls: [5] }],
        /^messages\[0\]\.tool_calls must be an array of objects; got /,
      ],
      [[{ role: 'user', content: 'x', n: 5n }], /holds a bigint, which JSON cannot keep\.$/],
      [[{ role: 'user', content: 'x', n: NaN }], /holds NaN, which JSON cannot keep\.$/],
      [[{ role: 'user', content: 'x', n: [-Infinity] }], /holds -Infinity, which JSON cannot keep\.$/],
      [[{ role: 'user', content: 'x', f: () => 1 }], /holds a function, which JSON cannot keep\.$/],
      [[{ role: 'user', content: 'x', s: Symbol('s') }], /holds a symbol, which JSON cannot keep\.$/],
      [[cyclic], /cannot be written as JSON/],
      [[throwing], /cannot be written as JSON/],
      [[getter], /cannot be written as JSON/],
      [[hidden(null)], 'messages[0] must be an object with a role and content; got null.'],
      [[hidden(undefined)], /^messages\[0\] must be an object with a role and content; got /],
      [[hidden({ role: 'bot' })], /^messages\[0\]\.role must be one of /],
      [Object.assign([...TURN], { toJSON: () => 5 }), 'A turn is an array of at least one message; got 5.'],
      [Object.assign([...TURN], { toJSON: () => undefined }), /^A turn is an array of at least one message/],
      [[{ role: 'user', content: 'x', nested }], /cannot be written as JSON/],
    ])('case %#: says where a turn is not in OpenAI chat form', async (messages, message) => {
      const error = await failure(() => conversation.append(messages))
      expect(error).toMatchObject({ name: 'InvalidMessageError', code: 'INVALID_MESSAGE' })
      if (typeof message === 'string') expect(error.message).toBe(message)
      else expect(error.message).toMatch(message)
      expect(error.message).not.toContain('Not today')
    })

    it('compares a replayed turn with the stored one however deep they are', async () => {
      const deep = store.conversation({ userId: 'deep', conversationId: 'one' })
      const turn = (depth: number, core: string) => {
        let extra: unknown = core
        for (let level = 0; level < depth; level++) extra = [extra]
        return [{ role: 'user', content: 'x', extra }]
      }
      // up to the depth at which the encoding itself gives up
      for (const depth of [500, 1000, 1500, 2000, 2500, 3000, 4000, 8000]) {
        const options = { idempotencyKey: `depth ${depth}` }
        const stored = await settle(() => deep.append(turn(depth, 'one'), options))
        const other = await settle(() => deep.append(turn(depth, 'two'), options))
        const codes = [stored, other].map((result) =>
          result instanceof BackscrollError ? result.code : 'stored',
        )
        expect(['stored IDEMPOTENCY_CONFLICT', 'INVALID_MESSAGE INVALID_MESSAGE']).toContain(codes.join(' '))
      }
    })

    it.each([5, 'x', true, [], [['a', 1]], () => {}, new Date(0), new String('x'), { toJSON: () => 5 }])(
      '%o is no metadata',
      async (metadata) => {
        for (const call of [
          () => conversation.append(TURN, { metadata }),
          () => conversation.setMetadata(metadata),
        ]) {
          const error = await failure(call)
          expect(error).toMatchObject({ name: 'InvalidArgumentError', code: 'INVALID_ARGUMENT' })
          expect(error.message).toMatch(/^metadata must be an object; got /)
        }
      },
    )

    it.each([{ n: 5n }, { n: NaN }, { f: () => 1 }, cyclic, throwing])(
      'case %#: metadata holds what JSON cannot keep',
      async (metadata) => {
        for (const call of [
          () => conversation.append(TURN, { metadata }),
          () => conversation.setMetadata(metadata),
        ]) {
          const error = await failure(call)
          expect(error.code).toMatch(/^INVALID_(MESSAGE|ARGUMENT)$/)
          expect(error.message).toMatch(
            /^metadata (holds .*, which JSON cannot keep|cannot be written as JSON)/,
          )
        }
      },
    )

    it('names a part by its type, also one that every object has a property of', async () => {
      const odd = memoryOf({ store, userId: 'odd', conversationId: 'one' })
      const parts = ['constructor', '__proto__', 'toString', 'video'].map((type) => ({ type }))
      await store
        .conversation({ userId: 'odd', conversationId: 'one' })
        .append([{ role: 'user', content: parts }])
      expect(await odd.loadMemoryVariables()).toEqual({
        history: 'Human: [constructor][__proto__][toString][video]',
      })
    })
  })

  describe('the size of a turn', () => {
    const calls = (call: object) => [{ role: 'assistant', content: '', tool_calls: [call] }]
    it.each<readonly [string, (length: number) => unknown]>([
      ['in one content', (length) => [{ role: 'user', content: 'a'.repeat(length) }]],
      [
        'over two messages',
        (length) => [
          { role: 'user', content: 'b'.repeat(400_000) },
          { role: 'assistant', content: 'c'.repeat(length - 400_000) },
        ],
      ],
      ['in a field of its own', (length) => [{ role: 'user', content: '', note: 'd'.repeat(length) }]],
    ])('takes 1,000,000 characters %s and not one more', async (_where, turnOf) => {
      const large = store.conversation({ userId: 'large', conversationId: 'one' })
      const { position } = await large.append(turnOf(1_000_000))
      const error = await failure(() => large.append(turnOf(1_000_001)))
      expect(error).toMatchObject({ name: 'TurnTooLargeError', code: 'TURN_TOO_LARGE' })
      expect(error.message).toBe(
        'A turn may hold at most 1000000 characters, and this one holds more. Nothing was written. ' +
          'Shorten it, or open the store with a higher maxTurnCharacters.',
      )
      expect(
        (await large.listTurns({ after: position - 1 })).map((turn: StoredTurn) => turn.position),
      ).toEqual([position])
    })

    // both are part of the text that is counted, where a run of millions would overflow the pattern's stack
    it.each<readonly [string, unknown]>([
      ['the name of a key', calls({ ['一'.repeat(5_000_000)]: 1 })],
      ['a role that is no message’s', calls({ role: '一'.repeat(5_000_000) })],
      ['what JSON itself writes', calls({ list: Array.from({ length: 2_000_000 }, () => []) })],
    ])('counts %s as well', async (_what, turn) => {
      expect(await failure(() => conversation.append(turn))).toMatchObject({ code: 'TURN_TOO_LARGE' })
    })

    it('is what the store was opened with', async () => {
      const small = (await database.open({ maxTurnCharacters: 10 })) as Untyped
      const one = small.conversation({ userId: 'small', conversationId: 'one' })
      expect(await one.append([{ role: 'user', content: '0123456789' }])).toMatchObject({ position: 1 })
      expect(await failure(() => one.append([{ role: 'user', content: '0123456789a' }]))).toMatchObject({
        code: 'TURN_TOO_LARGE',
      })
      expect(await failure(() => one.setMetadata({ note: '0123456789a' }))).toMatchObject({
        code: 'TURN_TOO_LARGE',
      })
      expect(await small.listConversations('small')).toMatchObject([{ turnCount: 1, metadata: null }])
    })
  })

  describe('the memory', () => {
    it.each([undefined, {}, { store: {} }, { store: null }, { store: 5 }])(
      'case %#: is not made without a store',
      async (options) => {
        const error = await failure(() => memoryOf(options))
        expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', message: NEEDS_A_STORE })
      },
    )

    it.each([
      ['memoryKey', ''],
      ['memoryKey', 5],
      ['inputKey', ''],
      ['inputKey', null],
      ['outputKey', {}],
      ['returnMessages', 'yes'],
      ['returnMessages', 1],
    ])('does not take %s: %o', async (name, value) => {
      const options = { store, userId: 'ada', conversationId: 'one', [name]: value }
      const error = await failure(() => memoryOf(options))
      expect(error).toMatchObject({ name: 'InvalidArgumentError', code: 'INVALID_ARGUMENT' })
      expect(error.message).toMatch(new RegExp(`^${name} must be .*; got `))
    })

    it.each<readonly [unknown, unknown, string, string]>([
      [
        undefined,
        { output: 'ho' },
        'INVALID_ARGUMENT',
        'inputs must be an object of values by key; got undefined.',
      ],
      [
        'hi',
        { output: 'ho' },
        'INVALID_ARGUMENT',
        'inputs must be an object of values by key; got a string of 2 characters.',
      ],
      [{ input: 'hi' }, null, 'INVALID_ARGUMENT', 'outputs must be an object of values by key; got null.'],
      [
        { input: 'hi' },
        ['ho'],
        'INVALID_ARGUMENT',
        'outputs must be an object of values by key; got an array of 1.',
      ],
      [
        {},
        { output: 'ho' },
        'UNRESOLVED_KEY',
        'Which value is the input cannot be told from no keys. Name it with inputKey.',
      ],
      [
        { a: 'hi', b: 'ho' },
        { output: 'ho' },
        'UNRESOLVED_KEY',
        "Which value is the input cannot be told from the keys 'a', 'b'. Name it with inputKey.",
      ],
      [{ input: 5 }, { output: 'ho' }, 'UNRESOLVED_KEY', "The input under 'input' must be a string; got 5."],
      [
        { input: 'hi' },
        { a: 'x', b: 'y' },
        'UNRESOLVED_KEY',
        "Which value is the output cannot be told from the keys 'a', 'b'. Name it with outputKey.",
      ],
      [
        { input: 'hi' },
        { output: undefined },
        'UNRESOLVED_KEY',
        "The output under 'output' cannot be written as JSON; got undefined.",
      ],
      [
        { input: 'hi' },
        { output: 5n },
        'UNRESOLVED_KEY',
        "The output under 'output' cannot be written as JSON; got a bigint.",
      ],
    ])('case %#: saves neither side when one cannot be told', async (inputs, outputs, code, message) => {
      const memory = memoryOf({ store, userId: 'ada', conversationId: 'one' })
      const error = await failure(() => memory.saveContext(inputs as never, outputs as never))
      expect(error).toMatchObject({ code, message })
    })
  })

  describe('anything at all', () => {
    /** Every public method, given one value that is anything. What they open, they close. */
    const CALLS: Record<string, (value: Untyped) => unknown> = {
      'conversation(x)': (x) => store.conversation(x),
      'conversation({ userId: x })': (x) => store.conversation({ userId: x, conversationId: 'one' }),
      'conversation({ conversationId: x })': (x) => store.conversation({ userId: 'fuzz', conversationId: x }),
      'conversation({ encoding: x })': (x) => store.conversation({ ...FUZZ, encoding: x }),
      'conversation({ framing: x })': (x) => store.conversation({ ...FUZZ, framing: x }),
      'conversation({ countPart: x })': (x) => store.conversation({ ...FUZZ, countPart: x }),
      'append(x)': (x) => store.conversation(FUZZ).append(x),
      'append([x])': (x) => store.conversation(FUZZ).append([x]),
      'append(…, x)': (x) => store.conversation(FUZZ).append(TURN, x),
      'append(…, { idempotencyKey: x })': (x) => store.conversation(FUZZ).append(TURN, { idempotencyKey: x }),
      'append(…, { expectedPosition: x })': (x) =>
        store.conversation(FUZZ).append(TURN, { expectedPosition: x }),
      'append(…, { signal: x })': (x) => store.conversation(FUZZ).append(TURN, { signal: x }),
      'append(…, { metadata: x })': (x) => store.conversation(FUZZ).append(TURN, { metadata: x }),
      'addMessages(x)': (x) => store.conversation(FUZZ).addMessages(x),
      'addMessages([x])': (x) => store.conversation(FUZZ).addMessages([x]),
      'addMessages(…, x)': (x) => store.conversation(FUZZ).addMessages(TURN, x),
      'addMessages(…, { idempotencyKey: x })': (x) =>
        store.conversation(FUZZ).addMessages(TURN, { idempotencyKey: x }),
      'addMessages(…, { metadata: x })': (x) => store.conversation(FUZZ).addMessages(TURN, { metadata: x }),
      'popMessage(x)': (x) => store.conversation(FUZZ).popMessage(x),
      'replaceNewest(x, [])': (x) => store.conversation(FUZZ).replaceNewest(x, []),
      'replaceNewest([], x)': (x) => store.conversation(FUZZ).replaceNewest([], x),
      'replaceNewest([], [], x)': (x) => store.conversation(FUZZ).replaceNewest([], [], x),
      'replaceNewest([], [], { idempotencyKey: x })': (x) =>
        store.conversation(FUZZ).replaceNewest([], [], { idempotencyKey: x }),
      ...(database.name === 'sqlite' && {
        'appendSync(x)': (x) => store.conversation(FUZZ).appendSync(x),
        'appendSync(…, x)': (x) => store.conversation(FUZZ).appendSync(TURN, x),
        'loadWindowSync(x)': (x) => store.conversation(FUZZ).loadWindowSync(x),
        'loadWindowSync({ maxTokens: x })': (x) => store.conversation(FUZZ).loadWindowSync({ maxTokens: x }),
      }),
      'loadWindow(x)': (x) => store.conversation(FUZZ).loadWindow(x),
      'loadWindow({ maxTokens: x })': (x) => store.conversation(FUZZ).loadWindow({ maxTokens: x }),
      'loadWindow({ retentionRatio: x })': (x) =>
        store.conversation(FUZZ).loadWindow({ maxTokens: 9, retentionRatio: x }),
      'listTurns(x)': (x) => store.conversation(FUZZ).listTurns(x),
      'listTurns({ after: x, before: x, limit: x })': (x) =>
        store.conversation(FUZZ).listTurns({ after: x, before: x, limit: x }),
      'findTurn(x)': (x) => store.conversation(FUZZ).findTurn(x),
      'findTurn(…, x)': (x) => store.conversation(FUZZ).findTurn('k', x),
      'countedAs(x)': (x) => store.conversation(FUZZ).countedAs(x),
      'check(x)': (x) => store.conversation(FUZZ).check(x),
      'rewind(x)': (x) => store.conversation(FUZZ).rewind(x),
      'rewind({ to: x })': (x) => store.conversation(FUZZ).rewind({ to: x }),
      'clear(x)': (x) => store.conversation(FUZZ).clear(x),
      'recount(x)': (x) => store.conversation(FUZZ).recount(x),
      'recount({ encoding: x })': (x) => store.conversation(FUZZ).recount({ encoding: x }),
      'recount({ framing: x })': (x) => store.conversation(FUZZ).recount({ framing: x }),
      'setMetadata(x)': (x) => store.conversation(FUZZ).setMetadata(x),
      'setMetadata(…, x)': (x) => store.conversation(FUZZ).setMetadata({}, x),
      'listConversations(x)': (x) => store.listConversations(x),
      'listConversations(…, x)': (x) => store.listConversations('fuzz', x),
      'listConversations(…, { before: x })': (x) => store.listConversations('fuzz', { before: x }),
      'listConversations(…, { before: cursor of x })': (x) =>
        store.listConversations('fuzz', { before: cursorOf(x) }),
      'forgetUser(x)': (x) => store.forgetUser(x),
      'forgetUser(…, x)': (x) => store.forgetUser('nobody', x),
      'reencrypt(x)': (x) => store.reencrypt(x),
      'reencrypt(…, x)': (x) => store.reencrypt('fuzz', x),
      'withTransaction(x)': (x) => store.withTransaction(x),
      'migrate(x)': (x) => store.migrate(x),
      'examine(x)': (x) => store.examine(x),
      'openStore(x)': async (x) => (await openStore(x)).close(),
      'openStore(…, { deadlineMs: x })': (x) => reopen({ deadlineMs: x }),
      'openStore(…, { maxTurnCharacters: x })': (x) => reopen({ maxTurnCharacters: x }),
      'openStore(…, { maxConnections: x })': (x) => reopen({ maxConnections: x }),
      'openStore(…, { codec: x })': (x) => reopen({ codec: x }),
      'encryption(x)': (x) => encryption(x),
      'encryption({ keys: x })': (x) => encryption({ keys: x }),
      'encryption({ … })': (x) =>
        encryption({ keys: { k: x }, current: x, userSecret: x, acceptPlaintext: x }),
      'openStore(…, { onWarning: x })': (x) => reopen({ onWarning: x }),
      'openStore(…, { rowLevelSecurity: x })': (x) => reopen({ rowLevelSecurity: x }),
      'new ConversationTokenBufferMemory(x)': (x) => memoryOf(x),
      'new ConversationTokenBufferMemory({ store: x })': (x) => memoryOf({ ...FUZZ, store: x }),
      'new ConversationTokenBufferMemory({ … })': (x) =>
        memoryOf({ ...FUZZ, store, memoryKey: x, inputKey: x, outputKey: x, maxTokenLimit: x, model: x }),
      'saveContext(x, …)': (x) => memoryOf({ ...FUZZ, store }).saveContext(x, { output: 'ho' }),
      'saveContext(…, x)': (x) => memoryOf({ ...FUZZ, store }).saveContext({ input: 'hi' }, x),
      'saveContext(…, { output: x })': (x) =>
        memoryOf({ ...FUZZ, store }).saveContext({ input: 'hi' }, { output: x }),
      'saveContext(…, …, x)': (x) =>
        memoryOf({ ...FUZZ, store }).saveContext({ input: 'hi' }, { output: 'ho' }, x),
      'loadMemoryVariables(x, x)': (x) => memoryOf({ ...FUZZ, store }).loadMemoryVariables(x, x),
      'memory.loadWindow(x)': (x) => memoryOf({ ...FUZZ, store }).loadWindow(x),
      'memory.loadWindow({ maxTokens: x })': (x) => memoryOf({ ...FUZZ, store }).loadWindow({ maxTokens: x }),
      'memory.clear(x)': (x) => memoryOf({ ...FUZZ, store }).clear(x),
      'new ConversationChain(x)': (x) => new ConversationChain(x),
      'new ConversationChain({ client: x })': (x) => chainWith({ client: x }),
      'new ConversationChain({ memory: x })': (x) => chainWith({ memory: x }),
      'new ConversationChain({ … })': (x) =>
        chainWith({ model: x, api: x, prompt: x, system: x, verbose: x }),
      'new ConversationChain({ tools: x })': (x) => chainWith({ tools: x, runTool: () => '' }),
      'new ConversationChain({ tools: [x] })': (x) => chainWith({ tools: [x], runTool: () => '' }),
      'new ConversationChain({ params: x })': (x) => chainWith({ params: x }),
      'chain.predict(x)': (x) => chainWith().predict(x),
      'chain.predict({ input: x })': (x) => chainWith().predict({ input: x }),
      'chain.predict(…, x)': (x) => chainWith().predict({ input: 'hi' }, x),
      'chain.invoke(x)': (x) => chainWith().invoke(x),
      'chain.invoke(…, x)': (x) => chainWith().invoke({ input: 'hi' }, x),
      'chain.stream(x)': (x) => collect(chainWith().stream(x)),
      'chain.stream(…, x)': (x) => collect(chainWith().stream({ input: 'hi' }, x)),
      'textFraming(x)': (x) => textFraming(x),
      'textFraming({ humanPrefix: x })': (x) => textFraming({ humanPrefix: x }),
      'encodingForModel(x)': (x) => encodingForModel(x),
      'sqliteStore(x)': (x) => sqliteStore(x).listConversations('fuzz'),
      'postgresStore(x)': (x) => postgresStore(x).listConversations('fuzz'),
    }
    const FUZZ = { userId: 'fuzz', conversationId: 'one' }
    const reopen = async (options: object): Promise<void> => (await openStore(database.url, options)).close()
    let model: ModelServer
    const chainWith = (options: Untyped = {}) => {
      const memory = memoryOf({ ...FUZZ, store })
      return new ConversationChain({ client: clientOf(model), model: 'gpt-5-mini', memory, ...options })
    }

    beforeAll(async () => void (model = await startModelServer(() => ({ content: 'ho' }))))
    afterAll(() => model.close())
    beforeEach(async () => {
      await store.forgetUser('fuzz')
      await store.conversation(FUZZ).append(TURN)
    })

    it('is given to every public method', () => {
      const memory = memoryOf({ ...FUZZ, store })
      const methods = [store, memory.conversation, memory, chainWith()].flatMap(methodsOf)
      const given = Object.keys(CALLS).join('\n')
      // They take nothing, or what was loaded; from the third on they are for subclasses alone.
      const others = [
        'close',
        'render',
        'newTurn',
        'settle',
        'isCurrent',
        'currentPage',
        'texts',
        'recountBy',
      ]
      const missing = methods.filter((name) => !given.includes(`${name}(`) && !others.includes(name))
      expect(missing).toEqual([])
      expect(methods).toEqual(
        expect.arrayContaining(['append', 'listConversations', 'saveContext', 'stream']),
      )
    })

    it.each(Object.keys(CALLS))('%s works, or says with a typed error why not', async (name) => {
      await fc.assert(
        fc.asyncProperty(ANYTHING, async (value) => {
          const result = await settle(() => CALLS[name]!(value))
          if (result instanceof Error) expect(result).toBeInstanceOf(BackscrollError)
        }),
        { seed: SEED, numRuns: name.startsWith('openStore(…') ? 15 : 60 },
      )
    })

    it('that fails when it is looked at writes nothing, and what it throws comes through', async () => {
      const own = new Error('Not today.')
      const fail = () => {
        throw own
      }
      const fails = new Proxy({}, { get: fail, has: fail, ownKeys: fail, getPrototypeOf: fail })
      const length = new Proxy([], { get: fail })
      const getters = Object.fromEntries(
        ['signal', 'userId', 'maxTokens', 'input', 'output', 'store', 'client'].map((name) => [name, 1]),
      )
      for (const name of Object.keys(getters)) Object.defineProperty(getters, name, { get: fail })
      let came = 0
      for (const [name, call] of Object.entries(CALLS)) {
        for (const value of [fails, length, getters]) {
          const before = await written()
          const result = await settle(() => call(value))
          if (!(result instanceof Error)) continue
          if (result === own) came++
          else expect(result, name).toBeInstanceOf(BackscrollError)
          expect(await written(), name).toEqual(before)
        }
      }
      expect(came).toBeGreaterThan(10)
    })

    it('keeps a turn exactly, or refuses it whole', async () => {
      const field = fc.oneof({ weight: 3, arbitrary: fc.string({ unit: 'binary' }) }, ANYTHING)
      const message = fc.record(
        {
          role: fc.oneof({ weight: 9, arbitrary: fc.constantFrom('user', 'assistant', 'tool') }, ANYTHING),
          content: fc.oneof(
            { weight: 9, arbitrary: fc.string({ unit: 'binary' }) },
            fc.array(fc.record({ type: fc.oneof(fc.constantFrom('text', 'image_url'), field), text: field })),
            ANYTHING,
          ),
          name: field,
          tool_calls: fc.oneof(fc.array(fc.dictionary(fc.string(), fc.jsonValue())), ANYTHING),
          extra: ANYTHING,
        },
        { requiredKeys: ['role', 'content'] },
      )
      const fuzzed = store.conversation(FUZZ)
      let kept = 0
      await fc.assert(
        fc.asyncProperty(
          fc.array(message, { minLength: 1, maxLength: 3 }),
          fc.option(ANYTHING, { nil: undefined }),
          async (messages, metadata) => {
            const before = (await store.listConversations('fuzz'))[0].turnCount
            const result = await settle(() => fuzzed.append(messages, { metadata }))
            if (result instanceof Error) {
              expect(result).toBeInstanceOf(BackscrollError)
              expect((await store.listConversations('fuzz'))[0].turnCount).toBe(before)
              return
            }
            kept++
            const { position } = result as StoredTurn
            const [stored] = await fuzzed.listTurns({ after: position - 1 })
            expect(stored.messages).toEqual(JSON.parse(JSON.stringify(messages)))
            expect(stored.metadata).toEqual(metadata == null ? null : JSON.parse(JSON.stringify(metadata)))
            await memoryOf({ ...FUZZ, store }).loadMemoryVariables()
          },
        ),
        { seed: SEED, numRuns: 300 },
      )
      expect(kept).toBeGreaterThan(20)
    })

    /** All that users have here. */
    async function written(): Promise<unknown> {
      return [await store.listConversations('fuzz'), await store.listConversations('ada')]
    }

    it('leaves the store as able as before', async () => {
      const after = store.conversation({ userId: 'after', conversationId: 'fuzz' })
      const { tokenCount } = await after.append(TURN)
      expect(await after.loadWindow({ maxTokens: tokenCount })).toMatchObject({
        messages: TURN,
        omittedTurns: 0,
      })
    })
  })
})

describe('a database that cannot be', () => {
  let folder: string
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'backscroll-urls-'))))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it.each([
    '',
    ' ',
    'sqlite',
    'sqlite:',
    'sqlite: ',
    'sqlite:\t\n',
    `sqlite:${tmpdir()}/a\0b.db`,
    'mysql://root:hunter2@localhost/chat',
    'file:chat.db',
    'chat.db',
    'postgres:',
    'postgres://',
    'postgres:chat',
    'POSTGRES://ada:hunter2@localhost/chat',
    'postgres://ada:hunter2@localhost:99999/chat',
    'postgres://ada:hunter2@local host/chat',
    'postgres://ada:hunter2%@localhost/chat',
    'postgres://ada:hunter2@[::1/chat',
    undefined,
    null,
    5,
    {},
    ['sqlite::memory:'],
    new URL('postgres://ada:hunter2@localhost/chat'),
  ])('%o is refused before anything is opened', async (url) => {
    const error = await failure(() => openStore(url as string))
    expect(error).toMatchObject({ name: 'InvalidArgumentError', code: 'INVALID_ARGUMENT' })
    expect(error.message).toMatch(/^(A|The) database URL .*postgres:\/\//)
    expect(error.message).not.toContain('hunter2')
  })

  it('does not make the file when an option is wrong', async () => {
    const path = join(folder, 'never.db')
    for (const options of [{ deadlineMs: 0 }, { maxTurnCharacters: 0 }, { maxConnections: 0 }]) {
      expect(await failure(() => openStore(`sqlite:${path}`, options))).toMatchObject({
        code: 'INVALID_LIMIT',
      })
    }
    expect(existsSync(path)).toBe(false)
  })

  it.each([5, 'db', null, undefined, {}, Object.create(null), () => {}])(
    'a store is not made on %o',
    async (db) => {
      for (const make of [sqliteStore, postgresStore] as ((db: unknown) => unknown)[]) {
        const error = await failure(() => make(db))
        expect(error).toMatchObject({ name: 'InvalidArgumentError', code: 'INVALID_ARGUMENT' })
        expect(error.message).toMatch(/^\w+Store takes a drizzle database/)
      }
    },
  )
})

describe('a store that could not be opened', () => {
  it('leaves no connection behind, which would keep the process alive', async () => {
    const admin = postgres(inject('postgresUrl'), { max: 1, onnotice: () => {} })
    const role = `backscroll_reader_${process.pid}`
    try {
      await admin.unsafe(`create role ${role} login password 'reader'`)
      const url = Object.assign(new URL(inject('postgresUrl')), { username: role, password: 'reader' })
      // it may connect, but not make tables
      expect(await failure(() => openStore(url.href))).toMatchObject({
        code: 'DATABASE_ERROR',
        cause: { code: '42501' },
      })
      const open = () => admin`select 1 from pg_stat_activity where usename = ${role}`
      await expect.poll(async () => (await open()).length).toBe(0)
    } finally {
      await admin.unsafe(`drop role if exists ${role}`)
      await admin.end()
    }
  })
})

const NEEDS_A_STORE = 'The memory needs a store: `store: await openStore(url)`.'

/** Any value that JavaScript has, holes, boxes, typed arrays and objects without a prototype included. */
const ANYTHING = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
})

function tooLong(bytes: number): [string, string][] {
  const ascii = 'a'.repeat(bytes + 1)
  const wide = '€'.repeat(Math.ceil((bytes + 1) / 3))
  return [ascii, wide].map((id) => [id, `a string of ${id.length} characters`])
}

function cursorOf(value: unknown): string {
  return Buffer.from(
    String(JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? 1 : item))),
  ).toString('base64url')
}

/** The names of an object's methods, those that its class inherits included. */
function methodsOf(object: object): string[] {
  const proto = Object.getPrototypeOf(object) as object
  if (proto === Object.prototype) return []
  const own = Object.entries(Object.getOwnPropertyDescriptors(proto))
    .filter(([name, { value }]) => typeof value === 'function' && name !== 'constructor')
    .map(([name]) => name)
  return [...own, ...methodsOf(proto)]
}

function memoryOf(options: unknown): ConversationTokenBufferMemory {
  return new ConversationTokenBufferMemory(options as never)
}

/** What a call gives, or what it throws, at once or later. */
async function settle(call: () => unknown): Promise<unknown> {
  try {
    return await call()
  } catch (error) {
    return error instanceof Error ? error : new Error(`Something else was thrown: ${typeof error}`)
  }
}

/** The error that a call must end with. */
async function failure(call: () => unknown): Promise<BackscrollError> {
  const result = await settle(call)
  if (!(result instanceof Error)) throw new Error('It was accepted.')
  expect(result).toBeInstanceOf(BackscrollError)
  return result as BackscrollError
}
