import { createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { encryption, type EncryptionOptions } from '../src/encryption.ts'
import {
  ConversationChain,
  ConversationTokenBufferMemory,
  openStore,
  type Codec,
  type UserCodec,
} from '../src/index.ts'
import { answerFromMessages } from '../src/local-model/answer.ts'
import { modelListener, startServer } from '../src/local-model/server.ts'
import { UserTexts } from '../src/store/texts.ts'
import { clientOf } from './support/chains.ts'
import { masterKey } from './support/codecs.ts'
import { onEachDatabase, type TestDatabase } from './support/databases.ts'
import { postgresHost, sqliteHost } from './support/hosts.ts'
import { expectConsistent, runSql, turnOf } from './support/inspect.ts'
import { HOSTILE, hostileTurn, randomFrom } from './support/texts.ts'

const KEY = { userId: 'ada', conversationId: 'c' }
const ONE_KEY = encryption({ keys: { k1: masterKey(1) } })
const PLACE = { conversationId: 'c', kind: 'messages' } as const

/** Words that are in no statement and no id. */
const CANARIES = ['Quetzalcoatl', 'Zarathustra', 'Melchizedek'] as const

onEachDatabase('a store with encryption', (database) => {
  /** A new user for each test. */
  let users = 0
  const newKey = () => ({ userId: `user-${++users}`, conversationId: 'c' })

  it('gives back whatever was said, exactly', async () => {
    const store = await database.open({ codec: ONE_KEY })
    const random = randomFrom(20261122)
    const key = newKey()
    const conversation = store.conversation(key)
    const turns = Array.from({ length: 60 }, () => hostileTurn(random))
    for (const [index, turn] of turns.entries()) {
      const metadata = { [random.pick(HOSTILE)]: random.pick(HOSTILE), index }
      const stored = await conversation.append(turn, { metadata, idempotencyKey: `${index}` })
      expect(stored).toMatchObject({ messages: turn, metadata })
      expect(await conversation.findTurn(`${index}`)).toEqual(stored)
    }
    const { messages } = await conversation.loadWindow({ maxTokens: 1_000_000 })
    expect(messages).toEqual(turns.flat())
    await conversation.setMetadata({ title: HOSTILE.join('') })
    expect(await store.listConversations(key.userId)).toMatchObject([
      { metadata: { title: HOSTILE.join('') } },
    ])
    await expectConsistent(database, key)
  })

  it('counts what was said, not what is stored', async () => {
    const clear = await database.open()
    const encrypted = await database.open({ codec: ONE_KEY })
    const turn = turnOf('早上好，今天天气怎么样？', 'Fine. '.repeat(50))
    const one = await clear.conversation(newKey()).append(turn)
    const other = encrypted.conversation(newKey())
    expect(await other.append(turn)).toMatchObject({ tokenCount: one.tokenCount })
    expect(await other.recount({ encoding: 'gpt2' })).toEqual({ turns: 1 })
    expect(await other.recount({ encoding: 'o200k_base' })).toEqual({ turns: 1 })
    expect(await other.listTurns()).toMatchObject([{ tokenCount: one.tokenCount, messages: turn }])
  })

  it('leaves nothing of it in any column of any row', async () => {
    const store = await database.open({ codec: ONE_KEY })
    const conversation = store.conversation(newKey())
    const [said, noted, title] = CANARIES
    await conversation.append(turnOf(said, `${said}!`), { metadata: { noted }, idempotencyKey: 'k' })
    await conversation.append(turnOf(said, `${said}!`), { metadata: { noted }, idempotencyKey: 'k' })
    await conversation.setMetadata({ title })
    await conversation.recount({ encoding: 'gpt2' })
    const rows = JSON.stringify(await everyRow(database))
    expect(rows).toContain('backscroll:1:k1:')
    for (const canary of CANARIES) expect(rows).not.toContain(canary)
    for (const bytes of filesOf(database)) {
      for (const canary of CANARIES) expect(bytes.includes(canary)).toBe(false)
    }
    expect(await conversation.listTurns()).toMatchObject([
      { messages: turnOf(said, `${said}!`), metadata: { noted } },
    ])
  })

  it('refuses a text that was moved, and gives it where it belongs', async () => {
    const store = await database.open({ codec: ONE_KEY })
    const { userId } = newKey()
    const other = newKey().userId
    const here = store.conversation({ userId, conversationId: 'here' })
    const there = store.conversation({ userId, conversationId: 'there' })
    const theirs = store.conversation({ userId: other, conversationId: 'here' })
    for (const conversation of [here, there, theirs]) {
      await conversation.append(turnOf('mine'), { metadata: { a: 1 } })
      await conversation.setMetadata({ b: 2 })
    }
    const stored = (column: string) =>
      `(select ${column} from backscroll_turns where user_id = '${userId}' and conversation_id = 'here')`
    const whose = (user: string, id: string) => `where user_id = '${user}' and conversation_id = '${id}'`
    const title = `(select metadata from backscroll_conversations where user_id = '${userId}' and id = 'here')`
    const refused = expect.objectContaining({ code: 'CORRUPT_DATA' }) as Error
    const moves: [string, () => Promise<unknown>][] = [
      [
        `backscroll_turns set messages = ${stored('messages')} ${whose(userId, 'there')}`,
        () => there.listTurns(),
      ],
      [
        `backscroll_turns set messages = ${stored('messages')} ${whose(other, 'here')}`,
        () => theirs.listTurns(),
      ],
      [
        `backscroll_turns set metadata = ${stored('messages')} ${whose(userId, 'there')}`,
        () => there.listTurns(),
      ],
      [
        `backscroll_conversations set metadata = ${stored('metadata')} where user_id = '${userId}' and id = 'here'`,
        () => store.listConversations(userId),
      ],
      [
        `backscroll_conversations set metadata = ${title} where user_id = '${other}'`,
        () => store.listConversations(other),
      ],
    ]
    expect((await here.listTurns())[0]).toMatchObject({ messages: turnOf('mine'), metadata: { a: 1 } })
    await runSql(
      database,
      `update backscroll_turns set metadata = ${stored('messages')} ${whose(userId, 'here')}`,
    )
    await expect(here.loadWindow({ maxTokens: 100 })).rejects.toEqual(refused)
    for (const [move, read] of moves) {
      await runSql(database, `update ${move}`)
      await expect(read(), move).rejects.toEqual(refused)
    }
  })

  it('refuses a text that was stored without it, and takes it where it is told to', async () => {
    const key = newKey()
    const clear = await database.open()
    await clear.conversation(key).append(turnOf('before'), { idempotencyKey: 'k' })
    const strict = (await database.open({ codec: ONE_KEY })).conversation(key)
    const error = await failure(() => strict.listTurns())
    expect(error).toMatchObject({ code: 'CORRUPT_DATA' })
    expect(error.message).toContain('acceptPlaintext: true')
    await expect(strict.append(turnOf('before'), { idempotencyKey: 'k' })).rejects.toMatchObject({
      code: 'CORRUPT_DATA',
    })
    const codec = encryption({ keys: { k1: masterKey(1) }, acceptPlaintext: true })
    const lenient = (await database.open({ codec })).conversation(key)
    expect(await lenient.append(turnOf('before'), { idempotencyKey: 'k' })).toMatchObject({ replayed: true })
    await lenient.append(turnOf('after'))
    expect((await lenient.loadWindow({ maxTokens: 100 })).messages).toEqual([
      ...turnOf('before'),
      ...turnOf('after'),
    ])
  })

  it.each([undefined, null, {}, Promise.resolve(undefined)])(
    'stores nothing where its codec gives %o for a user',
    async (given) => {
      const codec = { forUser: () => given } as unknown as Codec
      const store = await database.open({ codec })
      const conversation = store.conversation({ userId: 'uncoded', conversationId: 'c' })
      await expect(conversation.append([{ role: 'user', content: 'In clear?' }])).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        mayBeStored: false,
      })
      expect(await runSql(database, "select * from backscroll_turns where user_id = 'uncoded'")).toEqual([])
    },
  )

  it('that lacks the codec, or the key, says so, and still drops and erases', async () => {
    const key = newKey()
    const store = await database.open({ codec: ONE_KEY })
    for (const each of ['one', 'two', 'three']) {
      await store.conversation(key).append(turnOf(each), { idempotencyKey: each })
    }
    await store.conversation(key).setMetadata({ title: 'x' })
    const others: [Codec | undefined, RegExp][] = [
      [undefined, /given no codec/],
      [encryption({ keys: { k2: masterKey(1) } }), /with the key 'k1', which the codec was not given/],
    ]
    for (const [codec, message] of others) {
      const blind = await database.open({ codec })
      const conversation = blind.conversation(key)
      for (const call of [
        () => conversation.loadWindow({ maxTokens: 100 }),
        () => conversation.listTurns(),
        () => conversation.findTurn('one'),
        () => conversation.recount({ encoding: 'gpt2' }),
        () => conversation.append(turnOf('one'), { idempotencyKey: 'one' }),
        () => blind.listConversations(key.userId),
      ]) {
        const error = await failure(call)
        expect(error).toMatchObject({ name: 'MissingKeyError', code: 'MISSING_KEY' })
        expect(error.message).toMatch(message)
      }
      expect(await conversation.countedAs()).toMatchObject({ encoding: 'o200k_base' })
      expect(await conversation.rewind({ to: codec ? 1 : 2 })).toEqual({ turns: 1 })
    }
    expect((await store.conversation(key).listTurns()).map(({ messages }) => messages)).toEqual([
      turnOf('one'),
    ])
    const last = await database.open()
    expect(await last.conversation(key).clear()).toEqual({ turns: 1 })
    expect(await last.forgetUser(key.userId)).toEqual({ conversations: 1, turns: 0 })
  })

  it('refuses a text that another key of the same id encrypted', async () => {
    const key = newKey()
    await (await database.open({ codec: ONE_KEY })).conversation(key).append(turnOf('one'))
    const other = await database.open({ codec: encryption({ keys: { k1: masterKey(2) } }) })
    await expect(other.conversation(key).listTurns()).rejects.toMatchObject({ code: 'CORRUPT_DATA' })
  })

  it('replays an append by what was said, also under a key that has been replaced', async () => {
    const key = newKey()
    const old = (await database.open({ codec: ONE_KEY })).conversation(key)
    const options = { idempotencyKey: 'k', metadata: { a: 1 } }
    const first = await old.append(turnOf('one'), options)
    expect(await old.append(turnOf('one'), options)).toEqual({ ...first, replayed: true })

    const keys = { k1: masterKey(1), k2: masterKey(2) }
    const store = await database.open({ codec: encryption({ keys, current: 'k2' }) })
    const conversation = store.conversation(key)
    for (const rewritten of [1, 0]) {
      expect(await conversation.append(turnOf('one'), options)).toEqual({ ...first, replayed: true })
      await expect(conversation.append(turnOf('two'), options)).rejects.toMatchObject({
        code: 'IDEMPOTENCY_CONFLICT',
      })
      expect(await store.reencrypt(key.userId)).toEqual({ conversations: 0, turns: rewritten })
    }
    expect(await conversation.append(turnOf('one'), options)).toEqual({ ...first, replayed: true })
    expect(await expectConsistent(database, key)).toHaveLength(1)
  })

  it('has a memory on top, and a chain, that work as ever', async () => {
    await using model = await closing(startServer(modelListener(answerFromMessages)))
    const store = await database.open({ codec: ONE_KEY })
    const memory = new ConversationTokenBufferMemory({ store, ...newKey(), maxTokenLimit: 10 })
    await memory.saveContext({ input: 'hi' }, { output: 'whats up' })
    await memory.saveContext({ input: 'not much you' }, { output: 'not much' })
    expect(await memory.loadMemoryVariables({})).toEqual({ history: 'Human: not much you\nAI: not much' })
    const chain = new ConversationChain({
      client: clientOf(model),
      model: 'gpt-5-mini',
      memory: new ConversationTokenBufferMemory({ store, ...newKey() }),
    })
    await chain.predict({ input: 'My name is Ada.' })
    expect(await chain.predict({ input: 'What is my name?' })).toContain('Ada')
    expect(await chain.memory.conversation.listTurns()).toHaveLength(2)
  })

  it('is the same inside a transaction of the host', async () => {
    await using app =
      database.name === 'sqlite' ? sqliteHost({ codec: ONE_KEY }) : await postgresHost({ codec: ONE_KEY })
    await app.store.migrate()
    const [said] = CANARIES
    if (app.name === 'sqlite') {
      app.db.transaction((tx) => {
        const conversation = app.store.withTransaction(tx).conversation(KEY)
        conversation.appendSync(turnOf(said))
        expect(conversation.loadWindowSync({ maxTokens: 100 }).messages).toEqual(turnOf(said))
      })
    } else {
      await app.db.transaction(async (tx) => {
        await app.store.withTransaction(tx).conversation(KEY).append(turnOf(said))
        expect(await app.store.withTransaction(tx).reencrypt(KEY.userId)).toEqual({
          conversations: 0,
          turns: 0,
        })
      })
    }
    expect(await app.store.conversation(KEY).listTurns()).toMatchObject([{ messages: turnOf(said) }])
    // What the host's logger is told holds nothing of it either.
    expect(JSON.stringify(app.statements)).toContain('backscroll:1:k1:')
    expect(JSON.stringify(app.statements)).not.toContain(said)
  })

  it('asks for the key once a call, however much that reads', async () => {
    const asked: string[] = []
    const codec: Codec = { forUser: (userId) => (asked.push(userId), ONE_KEY.forUser(userId)) }
    const store = await database.open({ codec })
    const key = newKey()
    const conversation = store.conversation(key)
    for (let turn = 0; turn < 230; turn++) await conversation.append(turnOf(`${turn}`))
    expect(asked).toHaveLength(230)
    for (const call of [
      () => conversation.recount({ encoding: 'gpt2' }),
      () => conversation.loadWindow({ maxTokens: 1000 }),
      // Counted back first, in two pages of turns.
      () => store.conversation(key).loadWindow({ maxTokens: 1000 }),
      () => store.conversation(key).listTurns(),
      () => store.listConversations(key.userId),
      () => store.reencrypt(key.userId),
    ]) {
      asked.length = 0
      await call()
      expect(asked).toEqual([key.userId])
    }
    asked.length = 0
    await conversation.countedAs()
    await conversation.rewind({ to: 10 })
    await conversation.setMetadata(null)
    await store.forgetUser(key.userId)
    expect(asked).toEqual([])
  })

  it(
    'waits for a key no longer than for the database, and not when it is told to stop',
    { timeout: 10_000 },
    async () => {
      const codec: Codec = { forUser: () => new Promise<UserCodec>(() => {}) }
      const store = await database.open({ codec, deadlineMs: 100 })
      const conversation = store.conversation(newKey())
      const error = await failure(() => conversation.append(turnOf('one')))
      expect(error).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
      expect(error.message).toBe(
        'The codec gave no key for this user within 100 ms. Nothing was written; try again.',
      )
      const patient = (await database.open({ codec })).conversation(newKey())
      const controller = new AbortController()
      const stopped = expect(patient.listTurns({ signal: controller.signal })).rejects.toBe('enough')
      controller.abort('enough')
      await stopped
    },
  )

  it('passes on what the host throws, and stores nothing', async () => {
    const reason = new Error('the key service is closed')
    const key = newKey()
    for (const userSecret of [
      () => {
        throw reason
      },
      () => Promise.reject(reason),
    ]) {
      const store = await database.open({ codec: encryption({ keys: { k1: masterKey(1) }, userSecret }) })
      await expect(store.conversation(key).append(turnOf('one'))).rejects.toBe(reason)
      await expect(store.reencrypt(key.userId)).rejects.toBe(reason)
      expect(await store.conversation(key).countedAs()).toBeUndefined()
    }
  })

  it('cannot reencrypt without a codec, and says so', async () => {
    const error = await failure(async () => (await database.open()).reencrypt('ada'))
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(error.message).toContain('open the store with one')
  })
})

onEachDatabase('a secret of each user', (database) => {
  const keys = { k1: masterKey(1) }
  const secrets = new Map<string, Uint8Array>()
  const userSecret = async (userId: string) => secrets.get(userId)

  it('erases what its user said everywhere, when it is deleted, and nothing of others', async () => {
    secrets.set('ada', randomBytes(32)).set('bo', randomBytes(16))
    const codec = encryption({ keys, userSecret })
    {
      await using store = await openStore(database.url, { codec })
      for (const userId of ['ada', 'bo']) {
        const conversation = store.conversation({ userId, conversationId: 'c' })
        await conversation.append(turnOf(`I am ${userId}`), { metadata: { userId } })
        await conversation.append(turnOf('again'))
        await conversation.setMetadata({ title: userId })
      }
    }
    await using copy = await copyOf(database)
    secrets.delete('ada')
    for (const url of [database.url, copy.url]) {
      await using store = await openStore(url, { codec })
      const conversation = store.conversation(KEY)
      for (const call of [
        () => conversation.listTurns(),
        () => conversation.loadWindow({ maxTokens: 100 }),
        () => conversation.append(turnOf('more')),
        () => conversation.setMetadata({ title: 'more' }),
        () => store.listConversations('ada'),
        () => store.reencrypt('ada'),
      ]) {
        await expect(call()).rejects.toMatchObject({ code: 'MISSING_KEY' })
      }
      // Neither the master keys alone nor with another user's secret, nor with one of zeros.
      const guesses: EncryptionOptions[] = [
        { keys },
        { keys, userSecret: () => secrets.get('bo') },
        { keys, userSecret: () => new Uint8Array(32) },
      ]
      for (const guess of guesses) {
        await using thief = await openStore(url, { codec: encryption(guess) })
        await expect(thief.conversation(KEY).listTurns()).rejects.toMatchObject({ code: 'CORRUPT_DATA' })
        await expect(thief.listConversations('ada')).rejects.toMatchObject({ code: 'CORRUPT_DATA' })
      }
      const others = store.conversation({ userId: 'bo', conversationId: 'c' })
      expect((await others.listTurns())[0]).toMatchObject({
        messages: turnOf('I am bo'),
        metadata: { userId: 'bo' },
      })

      expect(await conversation.rewind({ to: 1 })).toEqual({ turns: 1 })
      expect(await conversation.clear()).toEqual({ turns: 1 })
      expect(await store.forgetUser('ada')).toEqual({ conversations: 1, turns: 0 })
      expect(await others.listTurns()).toHaveLength(2)
    }
  })

  it('makes keys that have nothing to do with those that need none', async () => {
    const zeros = encryption({ keys, userSecret: () => new Uint8Array(32) })
    const encoded = (await zeros.forUser('ada')).encode('[]', PLACE)
    const none = await encryption({ keys }).forUser('ada')
    expect(() => none.decode(encoded, PLACE)).toThrow(expect.objectContaining({ code: 'CORRUPT_DATA' }))
  })

  it.each([new Uint8Array(15), '', 'a secret of quite some length', 5, {}, true])(
    'must be bytes enough: %o',
    async (secret) => {
      const store = await database.open({ codec: encryption({ keys, userSecret: () => secret as never }) })
      const error = await failure(() => store.conversation(KEY).listTurns())
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
      expect(error.message).toMatch(/^userSecret must give a Uint8Array of 16 bytes or more/)
      expect(error.message).not.toContain('quite some')
    },
  )
})

describe('the synchronous twins on a store with encryption', () => {
  const keys = { k1: masterKey(1) }

  it('work where the secret is there at once', async () => {
    await using app = sqliteHost({ codec: encryption({ keys, userSecret: () => masterKey(9) }) })
    await app.store.migrate()
    const conversation = app.store.conversation(KEY)
    const stored = conversation.appendSync(turnOf('one'), { idempotencyKey: 'k', metadata: { a: 1 } })
    expect(conversation.appendSync(turnOf('one'), { idempotencyKey: 'k' })).toEqual({
      ...stored,
      replayed: true,
    })
    const counted = app.store.conversation({ ...KEY, encoding: 'gpt2' })
    expect(counted.loadWindowSync({ maxTokens: 100 })).toMatchObject({ messages: turnOf('one') })
    expect(JSON.stringify(app.client.prepare('select * from backscroll_turns').all())).not.toContain('one')
  })

  it('say that they cannot wait for it, and leave no rejection behind', async () => {
    const userSecret = () => Promise.reject(new Error('too late'))
    await using app = sqliteHost({ codec: encryption({ keys, userSecret }) })
    await app.store.migrate()
    const conversation = app.store.conversation(KEY)
    const refused = expect.objectContaining({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('This codec does not answer at once') as string,
    }) as Error
    expect(() => conversation.appendSync(turnOf('one'))).toThrow(refused)
    expect(() => conversation.loadWindowSync({ maxTokens: 100 })).toThrow(refused)
    expect(app.client.prepare('select * from backscroll_turns').all()).toEqual([])
  })
})

describe('the stored form', () => {
  const texts = async (options: EncryptionOptions = { keys: { k1: masterKey(1) } }, userId = 'ada') => {
    const codec = encryption(options)
    return new UserTexts(await codec.forUser(userId), codec)
  }

  it('is what this decrypts: a JSON string, HKDF-SHA256 and AES-256-GCM, bound to its place', async () => {
    const [userId, secret, master] = ['adä', randomBytes(24), randomBytes(32)]
    const one = await texts({ keys: { 'k.1_-': master }, userSecret: () => secret }, userId)
    const text = '[{"role":"user","content":"漢字 \\ud800"}]'
    const stored = one.encode(text, { conversationId: 'c:"1', kind: 'metadata' })

    const [name, form, keyId, base64] = (JSON.parse(stored) as string).split(':')
    const bytes = Buffer.from(base64!, 'base64')
    const key = hkdfSync('sha256', master, secret, 'backscroll:1:user and secret:adä', 32)
    const decipher = createDecipheriv('aes-256-gcm', new Uint8Array(key), bytes.subarray(0, 12))
    decipher.setAAD(Buffer.from('["backscroll:1","metadata","k.1_-","adä","c:\\"1"]'))
    decipher.setAuthTag(bytes.subarray(-16))
    const plain = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
    expect([name, form, keyId, plain.toString()]).toEqual(['backscroll', '1', 'k.1_-', text])
  })

  it('can be read for good: this was written once', async () => {
    const stored = KNOWN
    expect((await texts()).decode(stored, PLACE)).toBe('[{"role":"user","content":"hi"}]')
  })

  it('is refused when any bit of it is another', async () => {
    const one = await texts({ keys: { k1: masterKey(1), k2: masterKey(2) }, current: 'k1' })
    const codes: Record<string, number> = {}
    let flips = 0
    // Of three lengths: the last character of base64 holds bits that a lenient decoder does not look at.
    for (const text of ['[]', '[1]', '[12]']) {
      const stored = one.encode(text, PLACE)
      for (const index of stored.split('').keys()) {
        for (let bit = 1; bit < 256; bit *= 2) {
          const flipped = String.fromCharCode(stored.charCodeAt(index) ^ bit)
          const changed = stored.slice(0, index) + flipped + stored.slice(index + 1)
          const { code } = (await failure(() => one.decode(changed, PLACE))) as { code?: string }
          codes[String(code)] = (codes[String(code)] ?? 0) + 1
          flips++
        }
      }
      expect(one.decode(stored, PLACE)).toBe(text)
    }
    // Another id of a key is one that is not known, but for the other key's.
    expect(Object.keys(codes).toSorted()).toEqual(['CORRUPT_DATA', 'MISSING_KEY'])
    expect(codes['MISSING_KEY']).toBeLessThan(16 * 3)
    expect(codes['CORRUPT_DATA']! + codes['MISSING_KEY']!).toBe(flips)
  })

  it.each([
    '',
    '1',
    '1:',
    '1:k1',
    '1:k1:',
    '1:k1:AAAA',
    '2:k1:AAAA',
    '1::AAAA',
    '1:k1:A',
    `1:k1:${'A'.repeat(38)}=`,
    '1:k 1:AAAA',
  ])('is refused when it is cut or of another kind: %s', async (encoded) => {
    const one = await texts()
    expect(() => one.decode(JSON.stringify(`backscroll:${encoded}`), PLACE)).toThrow(
      expect.objectContaining({ code: 'CORRUPT_DATA' }),
    )
  })

  it('takes no user and conversation for another pair that looks alike', async () => {
    const pairs = [
      ['a', 'b:c'],
      ['a:b', 'c'],
      ['a', 'b","c'],
      ['a","b', 'c'],
      ['a', 'bc'],
      ['ab', 'c'],
    ] as const
    for (const [userId, conversationId] of pairs) {
      const one = await texts(undefined, userId)
      const stored = one.encode('[]', { conversationId, kind: 'messages' })
      for (const [otherUser, otherId] of pairs) {
        if (otherUser === userId && otherId === conversationId) continue
        const other = await texts(undefined, otherUser)
        expect(() => other.decode(stored, { conversationId: otherId, kind: 'messages' })).toThrow(
          expect.objectContaining({ code: 'CORRUPT_DATA' }),
        )
      }
    }
  })

  it('never has the same nonce', async () => {
    const one = await encryption({ keys: { k1: masterKey(1) } }).forUser('ada')
    const nonces = Array.from({ length: 10_000 }, () => one.encode('[]', PLACE).slice('1:k1:'.length, 21))
    expect(new Set(nonces).size).toBe(10_000)
  })
})

describe('encryption()', () => {
  const key = masterKey(0xa7)
  const base64 = Buffer.from(key).toString('base64')

  it('takes a key as bytes or in base64, and does not see it change', async () => {
    const bytes = Uint8Array.from(key)
    const one = encryption({ keys: { k: bytes } })
    bytes.fill(0)
    const encoded = (await one.forUser('ada')).encode('[]', PLACE)
    const other = await encryption({ keys: { k: base64 } }).forUser('ada')
    expect(other.decode(encoded, PLACE)).toBe('[]')
  })

  it.each([
    ['nothing', undefined, /^keys must be an object of at least one key/],
    ['no keys', { keys: {} }, /^keys must be an object of at least one key/],
    ['keys that are none', { keys: 5 }, /^keys must be an object/],
    ['a list for options', [key], /takes an object of options/],
    ['a short key', { keys: { k: key.subarray(1) } }, /^The key 'k' must be 32 bytes/],
    ['a long key', { keys: { k: new Uint8Array(33) } }, /^The key 'k' must be 32 bytes/],
    ['a key that is no base64', { keys: { k: `${base64.slice(0, -2)}!=` } }, /^The key 'k' must be 32 bytes/],
    [
      'a key of 33 bytes in base64',
      { keys: { k: Buffer.alloc(33, key).toString('base64') } },
      /got a string of 44/,
    ],
    [
      'a key in hexadecimal',
      { keys: { k: Buffer.from(key).toString('hex') } },
      /got a string of 64 characters/,
    ],
    ['a key that is a number', { keys: { k: 7 } }, /^The key 'k' must be 32 bytes/],
    ['an empty id', { keys: { '': key } }, /^A key's id is 1 to 64/],
    ['an id with a colon', { keys: { 'a:b': key } }, /^A key's id is 1 to 64/],
    ['a long id', { keys: { ['k'.repeat(65)]: key } }, /^A key's id is 1 to 64/],
    [
      'several keys, none current',
      { keys: { a: key, b: key } },
      /^current must be the id of one of the 2 keys/,
    ],
    ['another current', { keys: { a: key }, current: 'b' }, /^current must be the id of one of the 1 keys/],
    ['a current of the prototype', { keys: { a: key }, current: 'toString' }, /^current must be/],
    ['a secret that is no function', { keys: { a: key }, userSecret: key }, /^userSecret must be a function/],
    [
      'a flag that is none',
      { keys: { a: key }, acceptPlaintext: 'yes' },
      /^acceptPlaintext must be true or false/,
    ],
  ])('refuses %s, and repeats no key', async (_, options, message) => {
    const error = await failure(() => encryption(options as never))
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(error.message).toMatch(message)
    expect(inspect(error)).not.toContain(base64.slice(0, 12))
  })

  it('shows no key and no secret to whoever prints it', async () => {
    const codec = encryption({ keys: { k: key, l: base64 }, current: 'k', userSecret: () => key })
    const user = await codec.forUser('ada')
    user.encode('[]', PLACE)
    for (const each of [codec, user, new UserTexts(user, codec)]) {
      const shown = [
        inspect(each, { depth: 20, showHidden: true, getters: true }),
        JSON.stringify(each),
        String(each),
        JSON.stringify(structuredClone({ ...each, forUser: undefined })),
      ].join()
      expect(shown).not.toMatch(/a7 ?a7|167, ?167|p6en/i)
    }
  })

  it.each([5, 'x', {}, { forUser: 1 }, null])('%o is no codec for a store', async (codec) => {
    const error = await failure(() => openStore('sqlite::memory:', { codec: codec as never }))
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(error.message).toMatch(/^codec must have a method forUser/)
  })
})

/** Written on 2026-11-22 with 32 bytes of 1 as the key `k1`, for the messages of user `ada` in conversation `c`. */
const KNOWN =
  '"backscroll:1:k1:laEAR1Oaohc5p+9wX7t7pk85bPXH0+0isfuWb8ftzCfvmdruYxv/ySQ3r4415JScxN8vva0GYfOJxhUu"'

async function failure(call: () => unknown): Promise<Error> {
  try {
    await call()
  } catch (error) {
    return error as Error
  }
  throw new Error('It did not fail.')
}

/** All rows of all tables that are backscroll's. */
async function everyRow(database: TestDatabase) {
  const names =
    database.name === 'sqlite'
      ? `select name from sqlite_master where type = 'table'`
      : `select tablename as name from pg_tables where schemaname = 'public'`
  const tables = (await runSql(database, names)).map(({ name }) => String(name))
  expect(tables).toEqual(expect.arrayContaining(['backscroll_conversations', 'backscroll_turns']))
  return Promise.all(tables.map((table) => runSql(database, `select * from ${table}`)))
}

/** The bytes of an SQLite database's files, its log included. */
function filesOf({ name, url }: TestDatabase): Buffer[] {
  if (name !== 'sqlite') return []
  const path = url.slice('sqlite:'.length)
  const files = readdirSync(dirname(path)).filter((file) => file.startsWith(basename(path)))
  return files.map((file) => readFileSync(join(dirname(path), file)))
}

/** A copy of the database as a backup would hold it. Nobody may be connected to it. */
async function copyOf(database: TestDatabase) {
  if (database.name === 'sqlite') {
    const path = `${database.url.slice('sqlite:'.length)}.backup`
    await runSql(database, `vacuum into '${path}'`)
    return { url: `sqlite:${path}`, [Symbol.asyncDispose]: async () => {} }
  }
  const url = new URL(database.url)
  const name = url.pathname.slice(1)
  await runSql(database, `create database ${name}_backup template ${name}`)
  url.pathname = `/${name}_backup`
  const drop = async () => void (await runSql(database, `drop database ${name}_backup with (force)`))
  return { url: url.href, [Symbol.asyncDispose]: drop }
}

/** Closes at the end of the block. */
async function closing<T extends { close(): Promise<void> }>(
  opened: Promise<T>,
): Promise<T & AsyncDisposable> {
  const value = await opened
  return Object.assign(value, { [Symbol.asyncDispose]: () => value.close() })
}
