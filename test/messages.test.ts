import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openStore, type Conversation, type ConversationStore, type Message } from '../src/index.ts'
import type { Dialect } from '../src/dialect/dialect.ts'
import { UserTexts } from '../src/store/texts.ts'
import { RESTLESS } from './support/codecs.ts'
import { onEachDatabase } from './support/databases.ts'
import { expectConsistent, oneTo, runSql, turnOf } from './support/inspect.ts'

/** What the random input of every run here comes from. */
const SEED = 20_261_123
const ALL = { maxTokens: Number.MAX_SAFE_INTEGER }

const said = (content: string): Message => ({ role: 'user', content })
const answered = (content: string): Message => ({ role: 'assistant', content })

/** A step that is made both on a conversation and on a plain array. */
type Step =
  | { readonly kind: 'add'; readonly messages: Message[]; readonly key: string | undefined }
  | {
      readonly kind: 'replace'
      readonly remove: number
      readonly messages: Message[]
      readonly wrong: boolean
    }
  | { readonly kind: 'append'; readonly messages: Message[] }
  | { readonly kind: 'pop' | 'clear' | 'recount' }

const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ role: fc.constant('user' as const), content: fc.string({ maxLength: 8 }) }),
  fc.record({ role: fc.constant('assistant' as const), content: fc.string({ maxLength: 8 }) }),
  fc.record({ role: fc.constant('tool' as const), content: fc.string(), tool_call_id: fc.constant('call') }),
  fc.record({ role: fc.constant('system' as const), content: fc.constantFrom('', '\0', '\ud800', '"\\') }),
)
const messages = fc.array(message, { maxLength: 4 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      messages,
      key: fc.constantFrom(undefined, 'a', 'b'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('replace' as const),
      remove: fc.nat(5),
      messages,
      wrong: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('pop' as const, 'pop' as const, 'clear' as const, 'recount' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      messages: fc.array(message, { minLength: 1, maxLength: 3 }),
    }),
  },
)

/** The slow, obvious answer: all messages in one array. */
class Model {
  messages: Message[] = []
  readonly #made = new Map<string, string>()

  add(added: Message[], key: string | undefined): string {
    const change = JSON.stringify(added)
    const made = key === undefined ? undefined : this.#made.get(key)
    if (made !== undefined) return made === change ? 'ok' : 'IDEMPOTENCY_CONFLICT'
    if (key !== undefined) this.#made.set(key, change)
    this.messages = [...this.messages, ...added]
    return 'ok'
  }

  clear(): void {
    this.messages = []
    this.#made.clear()
  }
}

async function take(conversation: Conversation, model: Model, taken: Step): Promise<void> {
  switch (taken.kind) {
    case 'add': {
      const { messages: added, key: idempotencyKey } = taken
      const result = await conversation.addMessages(added, { idempotencyKey }).then(() => 'ok', codeOf)
      return expect(result).toBe(model.add(added, idempotencyKey))
    }
    case 'append':
      await conversation.append(taken.messages)
      model.messages = [...model.messages, ...taken.messages]
      return
    case 'replace': {
      const kept = Math.max(0, model.messages.length - taken.remove)
      const expected = model.messages.slice(kept)
      if (taken.wrong) expected.unshift(said('never said by anyone'))
      const result = await conversation.replaceNewest(expected, taken.messages).then(() => 'ok', codeOf)
      expect(result).toBe(taken.wrong ? 'MESSAGES_CONFLICT' : 'ok')
      if (!taken.wrong) model.messages = [...model.messages.slice(0, kept), ...taken.messages]
      return
    }
    case 'pop':
      expect(await conversation.popMessage()).toEqual(model.messages.at(-1))
      model.messages = model.messages.slice(0, -1)
      return
    case 'clear':
      await conversation.clear()
      return model.clear()
    case 'recount': {
      // Counts that were made turn by turn are those that are made all at once.
      const { tokenCount } = await conversation.loadWindow(ALL)
      await conversation.recount()
      expect((await conversation.loadWindow(ALL)).tokenCount).toBe(tokenCount)
    }
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code
}

let conversations = 0
const keyOfNew = () => ({ userId: 'ada', conversationId: `c${++conversations}` })

onEachDatabase('messages that are saved one by one', (database) => {
  it.each(['text', 'chat'] as const)(
    'are what an array of them would be, after any steps, in whole turns of exact counts: %s framing',
    async (framing) => {
      const store = await database.open()
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
          const key = keyOfNew()
          const model = new Model()
          for (const taken of steps) {
            // A new object each time, as a new process would have.
            const conversation = store.conversation({ ...key, framing })
            await take(conversation, model, taken)
            const { turns, messages: loaded } = await conversation.loadWindow(ALL)
            expect(loaded).toEqual(model.messages)
            for (const turn of turns.slice(1)) expect(turn.messages[0]).toBeDefined()
          }
          await expectConsistent(database, key)
        }),
        { seed: SEED, numRuns: 40 },
      )
    },
  )

  it('open a turn with each user message, and what follows joins it at its place', async () => {
    const store = await database.open()
    const conversation = store.conversation(keyOfNew())
    await conversation.addMessages([answered('welcome')], { metadata: { by: 'host' } })
    await conversation.addMessages([said('one')])
    const [, opened] = await conversation.listTurns()
    await conversation.addMessages([answered('first'), said('two'), said('three')])
    await conversation.addMessages([answered('third')])
    const turns = await conversation.listTurns()
    expect(turns.map(({ position, messages: own }) => [position, own.map(({ content }) => content)])).toEqual(
      [
        [1, ['welcome']],
        [2, ['one', 'first']],
        [3, ['two']],
        [4, ['three', 'third']],
      ],
    )
    expect(turns[1]?.createdAt).toEqual(opened?.createdAt)
    expect(turns.map(({ metadata }) => metadata)).toEqual([{ by: 'host' }, null, null, null])
  })

  it('are never half in a window: each load gives some of the states that a writer went through', async () => {
    const writer = await database.open()
    const reader = await database.open()
    const key = keyOfNew()
    const states = new Set(['[]'])
    const model: Message[] = []
    const progress = { isDone: false }
    const seen: string[] = []
    const reading = (async () => {
      while (!progress.isDone) {
        const { turns, messages: loaded, tokenCount } = await reader.conversation(key).loadWindow(ALL)
        seen.push(JSON.stringify(loaded))
        const sum = turns.reduce((total, turn) => total + turn.tokenCount, 0)
        expect(tokenCount).toBeLessThanOrEqual(sum)
      }
    })()
    for (const index of oneTo(30)) {
      const added = [said(`question ${index}`), answered('a call'), answered('an answer')]
      for (const part of [added.slice(0, 1), added.slice(1)]) {
        model.push(...part)
        states.add(JSON.stringify(model))
        await writer.conversation(key).addMessages(part)
      }
    }
    progress.isDone = true
    await reading
    expect(seen.filter((state) => !states.has(state))).toEqual([])
    expect(new Set(seen).size).toBeGreaterThan(1)
  })

  it('of 8 writers at once are all there, each once and in its writer’s order', async () => {
    const stores = await Promise.all([database.open(), database.open()])
    const key = keyOfNew()
    const write = async (store: ConversationStore, writer: number) => {
      for (const index of oneTo(6))
        await store.conversation(key).addMessages([answered(`${writer}.${index}`)])
    }
    await stores[0].conversation(key).append(turnOf('begin'))
    await Promise.all(oneTo(8).map((writer) => write(stores[writer % 2]!, writer)))
    const { turns, messages: loaded } = await stores[0].conversation(key).loadWindow(ALL)
    expect(turns).toHaveLength(1)
    const added = loaded.slice(2).map(({ content }) => String(content))
    expect(added.toSorted()).toEqual(
      oneTo(8)
        .flatMap((w) => oneTo(6).map((index) => `${w}.${index}`))
        .toSorted(),
    )
    for (const writer of oneTo(8)) {
      const own = added.filter((content) => content.startsWith(`${writer}.`))
      expect(own).toEqual(own.toSorted())
    }
    await expectConsistent(database, key)
  })

  it('under one key from 16 callers at once are there once', async () => {
    const stores = await Promise.all([database.open(), database.open()])
    for (const begun of [false, true]) {
      const key = keyOfNew()
      if (begun) await stores[0].conversation(key).append(turnOf('begin'))
      const add = (store: ConversationStore) =>
        store.conversation(key).addMessages([answered('once'), said('and once')], { idempotencyKey: 'k' })
      await Promise.all(oneTo(16).map((caller) => add(stores[caller % 2]!)))
      const { messages: loaded } = await stores[0].conversation(key).loadWindow(ALL)
      expect(loaded.slice(begun ? 2 : 0).map(({ content }) => content)).toEqual(['once', 'and once'])
    }
  })

  it.each([
    ['the order of keys', { a: 1, b: [2] }, { b: [2], a: 1 }, 'ok'],
    ['an object and its pairs', { a: 1 }, [['a', 1]], 'IDEMPOTENCY_CONFLICT'],
    ['a number and its text', { a: 1 }, { a: '1' }, 'IDEMPOTENCY_CONFLICT'],
    ['the order of an array', [1, 2], [2, 1], 'IDEMPOTENCY_CONFLICT'],
    ['a key named __proto__', {}, JSON.parse('{"__proto__":{"a":1}}'), 'IDEMPOTENCY_CONFLICT'],
  ])('under one key are the same or not: %s', async (_, one, other, outcome) => {
    const conversation = (await database.open()).conversation(keyOfNew())
    const add = (note: unknown) =>
      conversation
        .addMessages([{ ...said('x'), ...{ note } }], { idempotencyKey: 'k' })
        .then(() => 'ok', codeOf)
    expect(await add(one)).toBe('ok')
    expect(await add(other)).toBe(outcome)
  })

  it('popped by 8 callers at once each go to one of them', async () => {
    const store = await database.open()
    const key = keyOfNew()
    const all = oneTo(8).map((index) => answered(String(index)))
    await store.conversation(key).addMessages(all)
    const popped = await Promise.all(all.map(() => store.conversation(key).popMessage()))
    expect(popped.map((one) => one?.content).toSorted()).toEqual(all.map(({ content }) => content))
    expect(await store.conversation(key).popMessage()).toBeUndefined()
    await expectConsistent(database, key)
  })

  it('leave their key behind when the turns are dropped that it changed, and only then', async () => {
    const store = await database.open()
    const conversation = store.conversation(keyOfNew())
    await conversation.append(turnOf('begin'))
    const first = () => conversation.addMessages([answered('first')], { idempotencyKey: 'first' })
    const second = () => conversation.addMessages(turnOf('second'), { idempotencyKey: 'second' })
    await first()
    await second()
    expect(await conversation.rewind({ to: 1 })).toEqual({ turns: 1 })
    await first()
    await second()
    const { messages: loaded } = await conversation.loadWindow(ALL)
    expect(loaded.map(({ content }) => content)).toEqual(['begin', 'Noted.', 'first', 'second', 'Noted.'])
  })

  it('leave their key where the turn is that they joined, though positions above it were used before', async () => {
    const store = await database.open()
    const conversation = store.conversation(keyOfNew())
    for (const text of ['one', 'two', 'three']) await conversation.append(turnOf(text))
    await conversation.rewind({ to: 1 })
    const add = () => conversation.addMessages([answered('joins')], { idempotencyKey: 'k' })
    await add()
    expect(await conversation.rewind({ to: 2 })).toEqual({ turns: 0 })
    await add()
    expect((await conversation.loadWindow(ALL)).messages).toHaveLength(3)
  })

  it('that take the place of others leave each turn its position, metadata and idempotency key', async () => {
    const store = await database.open()
    const conversation = store.conversation(keyOfNew())
    for (const text of ['one', 'two']) {
      await conversation.append(turnOf(text), { idempotencyKey: text, metadata: { text } })
    }
    const before = await conversation.listTurns()
    const { messages: expected } = await conversation.loadWindow(ALL)
    const replacement = expected.map((each) => (each.content === 'one' ? said('ONE') : each))
    await conversation.replaceNewest(expected, [...replacement, said('three')])
    const after = await conversation.listTurns()
    const placeOf = (turn: (typeof after)[number]) => [turn.position, turn.metadata, turn.createdAt]
    expect(after.slice(0, 2).map(placeOf)).toEqual(before.map(placeOf))
    expect(after.flatMap(({ messages: own }) => own.map(({ content }) => content))).toEqual([
      ...['ONE', 'Noted.', 'two', 'Noted.', 'three'],
    ])
    expect((await conversation.findTurn('two'))?.position).toBe(before[1]?.position)
  })

  it('that join while the conversation is counted anew are in the new counts', async () => {
    const store = await database.open()
    const key = keyOfNew()
    await store.conversation(key).append(turnOf('one'))
    const { dialect } = (store.conversation(key) as unknown as { context: { dialect: Dialect } }).context
    const replaceCounts = dialect.replaceCounts.bind(dialect)
    // Between its reading and its writing.
    dialect.replaceCounts = async (...counted) => {
      dialect.replaceCounts = replaceCounts
      await store.conversation(key).addMessages([answered('joins')])
      return replaceCounts(...counted)
    }
    await store.conversation(key).recount({ framing: 'chat' })
    const { turns } = await store.conversation({ ...key, framing: 'chat' }).loadWindow(ALL)
    const other = keyOfNew()
    const whole = await store
      .conversation({ ...other, framing: 'chat' })
      .append([...turnOf('one'), answered('joins')])
    expect(turns.map(({ tokenCount }) => tokenCount)).toEqual([whole.tokenCount])
    await expectConsistent(database, key)
  })

  it('that cannot be stored begin no conversation', async () => {
    const store = await database.open({ maxTurnCharacters: 10 })
    const added = store
      .conversation({ userId: 'nobody', conversationId: 'c' })
      .addMessages([answered('x'), said('12345678901')])
    await expect(added).rejects.toMatchObject({ code: 'TURN_TOO_LARGE' })
    expect(await store.listConversations('nobody')).toEqual([])
  })

  it('leave nothing of a user who is forgotten, nor of a key once all was cleared', async () => {
    const store = await database.open()
    const conversation = store.conversation({ userId: 'eve', conversationId: 'c' })
    await conversation.addMessages([said('x')], { idempotencyKey: 'k' })
    await conversation.replaceNewest([said('x')], [], { idempotencyKey: 'l' })
    const left = () =>
      runSql(database, "select id from backscroll_operations where user_id = 'eve' order by id")
    expect(await left()).toEqual([{ id: 'k' }, { id: 'l' }])
    await conversation.clear()
    expect(await left()).toEqual([])
    await conversation.addMessages([said('x')], { idempotencyKey: 'k' })
    await store.forgetUser('eve')
    expect(await left()).toEqual([])
  })

  it('that would make a turn too large are refused, and nothing of their call is stored', async () => {
    const store = await database.open({ maxTurnCharacters: 10 })
    const conversation = store.conversation(keyOfNew())
    await conversation.addMessages([said('12345')])
    await expect(
      conversation.addMessages([said('a'), answered('b'), said('12345678901')]),
    ).rejects.toMatchObject({ code: 'TURN_TOO_LARGE' })
    await expect(conversation.addMessages([answered('678901')])).rejects.toMatchObject({
      code: 'TURN_TOO_LARGE',
    })
    expect((await conversation.loadWindow(ALL)).messages).toEqual([said('12345')])
  })

  it('are encrypted by a codec, the fingerprint of what was done under a key included', async () => {
    const store = await database.open({ codec: RESTLESS })
    const key = { userId: 'eve', conversationId: 'encrypted' }
    const conversation = store.conversation(key)
    for (const _ of oneTo(2)) await conversation.addMessages([said('secret')], { idempotencyKey: 'k' })
    await conversation.addMessages([answered('kept')])
    await expect(conversation.addMessages([said('other')], { idempotencyKey: 'k' })).rejects.toMatchObject({
      code: 'IDEMPOTENCY_CONFLICT',
    })
    expect((await conversation.loadWindow(ALL)).messages).toEqual([said('secret'), answered('kept')])
    const rows = await runSql(database, "select fingerprint from backscroll_operations where user_id = 'eve'")
    expect(rows).toHaveLength(1)
    // What is not encoded passes as it is where there is no codec; what is, does not.
    const place = { conversationId: key.conversationId, kind: 'operation' } as const
    expect(() => new UserTexts().decode(String(rows[0]?.['fingerprint']), place)).toThrow(/codec/)
  })

  it('are counted anew first where another rule is recorded', async () => {
    const store = await database.open()
    const key = keyOfNew()
    await store.conversation({ ...key, encoding: 'gpt2', framing: 'chat' }).append(turnOf('one'))
    await store.conversation(key).addMessages([answered('more')])
    const { turns } = await store.conversation(key).loadWindow(ALL)
    const other = keyOfNew()
    await store.conversation(other).append([...turnOf('one'), answered('more')])
    const { turns: expected } = await store.conversation(other).loadWindow(ALL)
    expect(turns.map(({ tokenCount }) => tokenCount)).toEqual(expected.map(({ tokenCount }) => tokenCount))
  })
})

describe('messages', () => {
  it('that are many are replaced across more turns than are read at once', { timeout: 60_000 }, async () => {
    await using store = await openStore('sqlite::memory:')
    const conversation = store.conversation(keyOfNew())
    const many = oneTo(2100).map((index) => said(String(index)))
    await conversation.addMessages(many)
    await conversation.replaceNewest(many.slice(50), [answered('instead')])
    const { turns } = await conversation.loadWindow(ALL)
    expect(turns).toHaveLength(50)
    expect(turns.at(-1)?.messages).toEqual([said('50'), answered('instead')])
  })
})
