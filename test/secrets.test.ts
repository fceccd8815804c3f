import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { inspect } from 'node:util'
import Database from 'better-sqlite3'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import * as allErrors from '../src/errors.ts'
import { encryption } from '../src/encryption.ts'
import {
  BackscrollError,
  ConversationTokenBufferMemory,
  encodingForModel,
  openStore,
  SaveFailedError,
  type Conversation,
  type ConversationStore,
} from '../src/index.ts'
import { chainOn, collect, type ChainOnOptions } from './support/chains.ts'
import { runHere } from './support/cli.ts'
import { masterKey } from './support/codecs.ts'
import { createPostgres, onEachDatabase, type Created, type TestDatabase } from './support/databases.ts'
import { gate, sqliteHost } from './support/hosts.ts'
import { startModelServer, type ModelServer } from './support/model-server.ts'

/**
 * What a person said, and a password. Errors quote pieces of such texts (a parser ten characters of what it met, Postgres
 * a row cut off in the middle), so the search is for the words.
 */
const CANARY = 'Quetzalcoatl owes 4711 dollars to Zarathustra'
const PASSWORD = 'hunter2-Xyzzy'
const SECRETS = /quetzal|zarathustra|4711|hunter2|xyzzy|postgres(ql)?:\/\/(?!user:password@host)\w/i

const TURN = [{ role: 'user', content: CANARY, note: { said: CANARY } }] as never
const USER = { userId: `user ${CANARY}`, conversationId: `conversation ${CANARY}` }
const OPTIONS = { idempotencyKey: `key ${CANARY}`, metadata: { note: CANARY } }

onEachDatabase('an error', (database) => {
  let store: ConversationStore
  let conversation: Conversation

  beforeAll(async () => {
    store = await database.open()
    conversation = store.conversation(USER)
    await conversation.append(TURN, OPTIONS)
  })

  it.each<readonly [string, (value: never) => Promise<unknown>]>([
    ['a user id', async (value) => store.conversation({ ...USER, userId: value })],
    ['a conversation id', async (value) => store.conversation({ ...USER, conversationId: value })],
    ['a user id', async (value) => store.forgetUser(value)],
    ['an idempotency key', async (value) => conversation.append(TURN, { idempotencyKey: value })],
    ['metadata', async (value) => conversation.append(TURN, { metadata: value })],
    ['metadata', async (value) => conversation.setMetadata(value)],
    ['messages', async (value) => conversation.append(value)],
    ['a message', async (value) => conversation.append([value])],
    ['a role', async (value) => conversation.append([{ role: value, content: 'x' }])],
    ['content', async (value) => conversation.append([{ role: 'user', content: [value] }])],
    [
      'a name',
      async (value) => conversation.append([{ role: 'user', content: 'x', name: [value] as never }]),
    ],
    ['options', async (value) => conversation.append(TURN, value)],
    ['a limit', async (value) => conversation.loadWindow({ maxTokens: value })],
    ['a position', async (value) => conversation.rewind({ to: value })],
    ['a cursor', async (value) => store.listConversations('ada', { before: value })],
    ['an encoding', async (value) => store.conversation({ ...USER, encoding: value })],
    ['a framing', async (value) => store.conversation({ ...USER, framing: value })],
    ['inputs', async (value) => memory().saveContext(value, { output: CANARY })],
    ['an input', async (value) => memory().saveContext({ input: [value] }, { output: CANARY })],
    ['outputs', async (value) => memory().saveContext({ input: CANARY }, value)],
    ['a model', async (value) => memory({ model: value })],
    ['a prefix', async (value) => memory({ humanPrefix: [value] as never })],
  ])('of %s that is wrong does not quote it', async (_what, call) => {
    const long = `${CANARY}\0${CANARY.repeat(20)}`
    for (const value of [long, [long], { toString: () => CANARY, [Symbol.toPrimitive]: () => CANARY }]) {
      const error = await failure(() => call(value as never), { orNone: true })
      if (error) expectNoSecret(error)
    }
  })

  it('of a value whose own methods fail does not quote what they throw', async () => {
    const throwing = {
      role: 'user',
      content: 'x',
      toJSON: () => {
        throw new Error(CANARY, { cause: PASSWORD })
      },
    }
    const cyclic: Record<string, unknown> = { role: 'user', content: CANARY }
    cyclic[CANARY] = cyclic
    for (const value of [throwing, cyclic]) {
      const calls = [
        () => conversation.append([value as never]),
        () => conversation.append(TURN, { metadata: value }),
        () => conversation.setMetadata(value),
        () => memory().saveContext({ input: CANARY }, { output: value }),
      ]
      for (const call of calls) expectNoSecret(await failure(call), /^(INVALID_MESSAGE|UNRESOLVED_KEY)$/)
    }
  })

  it('of a key that stands for another turn quotes neither turn', async () => {
    const other = conversation.append([{ role: 'user', content: `no: ${CANARY}` }], OPTIONS)
    expectNoSecret(await failure(() => other), /^IDEMPOTENCY_CONFLICT$/)
    const late = conversation.append(TURN, { expectedPosition: 9, metadata: { note: CANARY } })
    expectNoSecret(await failure(() => late), /^POSITION_CONFLICT$/)
  })

  it('of a turn that is too large does not quote it', async () => {
    const small = (await database.open({ maxTurnCharacters: 20 })).conversation(USER)
    expectNoSecret(await failure(() => small.append(TURN)), /^TURN_TOO_LARGE$/)
    expectNoSecret(await failure(() => small.setMetadata({ note: CANARY })), /^TURN_TOO_LARGE$/)
  })

  it('of a call on a closed store holds nothing of it', async () => {
    const closed = await database.open()
    await closed.close()
    expectNoSecret(await failure(() => closed.conversation(USER).append(TURN, OPTIONS)), /^STORE_CLOSED$/)
  })

  describe('of the database', () => {
    let sql: RawSql
    beforeAll(async () => {
      await store.forgetUser(USER.userId)
      await conversation.append(TURN, OPTIONS)
      sql = await openRaw(database)
    })
    afterAll(() => sql.end())

    it('holds nothing of a row that a constraint refuses, though the database repeats the row', async () => {
      await sql.refuseRows()
      try {
        const append = await failure(() => conversation.append(TURN, { metadata: { note: CANARY } }))
        expectNoSecret(append, /^DATABASE_ERROR$/)
        expect(append.cause).toEqual({ name: expect.any(String), code: sql.refusal })
        expectNoSecret(await failure(() => conversation.setMetadata({ note: CANARY })), /^DATABASE_ERROR$/)
      } finally {
        await sql.acceptRows()
      }
      expect(await conversation.listTurns()).toHaveLength(1)
    })

    it.each([
      ['no JSON', CANARY],
      ['JSON that ends early', JSON.stringify([{ role: 'user', content: CANARY }]).slice(0, -4)],
      ['no array', JSON.stringify({ content: CANARY })],
      ['an array of something else', JSON.stringify([CANARY])],
      ['a message without a role', JSON.stringify([{ content: CANARY }])],
      ['content of another kind', JSON.stringify([{ role: 'user', content: { text: CANARY } }])],
      ['nothing', '[]'],
    ])('says that stored messages are damaged, and not how: %s', async (_what, messages) => {
      await sql.run('update backscroll_turns set messages = $1', messages)
      try {
        const calls = [
          () => conversation.loadWindow({ maxTokens: 1000 }),
          () => conversation.listTurns(),
          () => conversation.recount(),
          () => conversation.append(TURN, OPTIONS),
          () => memory().loadMemoryVariables(),
        ]
        for (const call of calls) expectNoSecret(await failure(call), /^(CORRUPT_DATA|IDEMPOTENCY_CONFLICT)$/)
        expect(await failure(calls[0]!)).toMatchObject({ code: 'CORRUPT_DATA' })
      } finally {
        await sql.run('update backscroll_turns set messages = $1', JSON.stringify(TURN))
      }
      expect(await conversation.listTurns()).toHaveLength(1)
    })

    it('says that stored metadata is damaged, and not how', async () => {
      for (const metadata of [CANARY, JSON.stringify([CANARY]), JSON.stringify(CANARY)]) {
        await sql.run('update backscroll_turns set metadata = $1', metadata)
        await sql.run('update backscroll_conversations set metadata = $1', metadata)
        expectNoSecret(await failure(() => conversation.listTurns()), /^CORRUPT_DATA$/)
        expectNoSecret(await failure(() => store.listConversations(USER.userId)), /^CORRUPT_DATA$/)
      }
      await sql.run('update backscroll_turns set metadata = $1', JSON.stringify(OPTIONS.metadata))
      await sql.run('update backscroll_conversations set metadata = $1', '{}')
      expect(await conversation.listTurns()).toMatchObject([{ metadata: OPTIONS.metadata }])
    })

    it('holds nothing of a call whose table is gone', async () => {
      await sql.run('alter table backscroll_turns rename to elsewhere')
      try {
        const calls = [
          () => conversation.append(TURN, OPTIONS),
          () => conversation.loadWindow({ maxTokens: 1000 }),
          () => conversation.listTurns(),
          () => conversation.rewind({ to: 0 }),
          () => conversation.recount({ encoding: 'gpt2' }),
        ]
        for (const call of calls) expectNoSecret(await failure(call), /^NOT_MIGRATED$/)
      } finally {
        await sql.run('alter table elsewhere rename to backscroll_turns')
      }
      expect(await conversation.listTurns()).toHaveLength(1)
    })
  })

  function memory(options: object = {}): ConversationTokenBufferMemory {
    return new ConversationTokenBufferMemory({ store, ...USER, ...options })
  }
})

describe('an error of a Postgres that cannot be reached', () => {
  const given = () => new URL(inject('postgresUrl'))

  /** Milliseconds. One that is down may come up, and so is asked again until the end; one that is there may be slow. */
  const [DOWN, THERE] = [20, 20_000]

  it.each<readonly [string, RegExp, number, () => Promise<URL>]>([
    ['whose password is wrong', /^DATABASE_ERROR$/, THERE, async () => withPassword(given())],
    [
      'that does not know the user',
      /^DATABASE_ERROR$/,
      THERE,
      async () => Object.assign(withPassword(given()), { username: `nobody-${PASSWORD}` }),
    ],
    [
      'that does not know the database',
      /^DATABASE_ERROR$/,
      THERE,
      async () => Object.assign(given(), { pathname: `/${PASSWORD}` }),
    ],
    [
      'whose host nobody knows',
      /^DATABASE_UNAVAILABLE$/,
      DOWN,
      async () => Object.assign(withPassword(given()), { hostname: 'hunter2-xyzzy.invalid' }),
    ],
    [
      'whose port nobody listens at',
      /^DATABASE_UNAVAILABLE$/,
      DOWN,
      async () => Object.assign(withPassword(given()), { hostname: '127.0.0.1', port: await freePort() }),
    ],
    [
      'that is asked for a setting it does not have',
      /^DATABASE_ERROR$/,
      THERE,
      async () => Object.assign(given(), { search: `?hunter2_setting=${PASSWORD}` }),
    ],
  ])('%s holds neither the password nor the URL', async (_what, code, deadlineMs, url) => {
    const { href } = await url()
    expectNoSecret(await failure(() => openStore(href, { deadlineMs })), code)
  })

  it.each([
    'postgres://ada:hunter2%@localhost/chat',
    'postgres://ada:hunter2@[::1/chat',
    'postgres://ada:hunter2@local host/chat',
    'postgres://ada:hunter2@localhost:99999/chat',
    'mysql://ada:hunter2@localhost/chat',
  ])('does not hold a URL that cannot be read: %s', async (url) => {
    expectNoSecret(await failure(() => openStore(url)), /^INVALID_ARGUMENT$/)
  })

  it('does not hold the path of a file that cannot be opened', async () => {
    const error = await failure(() => openStore(`sqlite:/no/such/${PASSWORD}/chat.db`))
    expectNoSecret(error, /^DATABASE_ERROR$/)
  })
})

onEachDatabase('the library', (database) => {
  it('prints nothing, whatever fails', async () => {
    await database.open()
    const printed = await run(
      `
      import { writeSync } from 'node:fs'
      import { ConversationTokenBufferMemory, openStore } from './src/index.ts'
      const secret = ${JSON.stringify(CANARY)}
      const store = await openStore(process.env.BACKSCROLL_URL)
      const conversation = store.conversation({ userId: secret, conversationId: secret })
      const turn = [{ role: 'user', content: secret }]
      const codes = []
      for (const call of [
        () => conversation.append(turn, { idempotencyKey: secret, metadata: { secret } }),
        () => conversation.append([{ role: 'user', content: 'other' }], { idempotencyKey: secret }),
        () => conversation.append([{ role: secret }]),
        () => conversation.loadWindow({ maxTokens: 100 }),
        () => new ConversationTokenBufferMemory({ store, userId: secret, conversationId: secret }).loadMemoryVariables(),
        () => conversation.append(turn, { signal: AbortSignal.abort(new Error('stopped')) }),
        () => openStore('postgres://ada:${PASSWORD}@127.0.0.1:${await freePort()}/chat', { deadlineMs: 10 }),
        () => openStore('sqlite:/no/such/${PASSWORD}/chat.db'),
        () => store.forgetUser(secret),
        () => store.close(),
        () => conversation.append(turn),
      ]) codes.push(await Promise.resolve().then(call).then(() => 'ok', (error) => error.code ?? error.message))
      writeSync(3, JSON.stringify(codes))
    `,
      { BACKSCROLL_URL: database.url },
    )
    expect(printed).toEqual({
      codes: [
        'ok',
        'IDEMPOTENCY_CONFLICT',
        'INVALID_MESSAGE',
        'ok',
        'ok',
        'stopped',
        'DATABASE_UNAVAILABLE',
        'DATABASE_ERROR',
        'ok',
        'ok',
        'STORE_CLOSED',
      ],
      output: '',
      exitCode: 0,
    })
  })
})

describe('every class of error', () => {
  let created: Created
  let store: ConversationStore
  let conversation: Conversation
  let server: ModelServer
  let admin: postgres.Sql

  beforeAll(async () => {
    created = await createPostgres()
    store = await openStore(created.url)
    conversation = store.conversation(USER)
    await conversation.append(TURN, OPTIONS)
    const call = {
      id: 'c',
      type: 'function',
      function: { name: 'look_up', arguments: `"${CANARY}"` },
    } as const
    server = await startModelServer(({ body }) =>
      body['tools'] ? { toolCalls: [call] } : { content: CANARY },
    )
    admin = postgres(created.url, { max: 1, onnotice: () => {} })
  })
  afterAll(async () => {
    await admin.end()
    await server.close()
    await store.close()
    await created.drop()
  })

  const chain = (options: ChainOnOptions = {}) =>
    chainOn({ name: 'postgres', url: created.url, open: async () => store }, server, {
      ...options,
      memory: { store, userId: USER.userId, ...options.memory },
    })

  /** Makes each come about, with secrets wherever a text is taken. */
  const PROVOKED: Record<Exclude<keyof typeof allErrors, 'BackscrollError'>, () => unknown> = {
    InvalidArgumentError: () => store.withTransaction(CANARY),
    InvalidIdError: () => store.forgetUser(`${CANARY}\0`),
    InvalidLimitError: () => conversation.loadWindow({ maxTokens: CANARY as never }),
    InvalidMessageError: () => conversation.append([{ role: CANARY as never, content: CANARY }]),
    InvalidFramingError: () =>
      store.conversation({
        ...USER,
        framing: { kind: 'text', humanPrefix: `\n${CANARY}`, aiPrefix: CANARY },
      }),
    UnknownEncodingError: () => store.conversation({ ...USER, encoding: CANARY as never }),
    UnknownModelError: () => encodingForModel(CANARY),
    TurnTooLargeError: () => conversation.append([{ role: 'user', content: CANARY.repeat(30_000) }]),
    MissingTokenCountError: () =>
      store
        .conversation({ ...USER, conversationId: 'pictures', framing: 'chat' })
        .append([{ role: 'user', content: [{ type: 'image_url', image_url: { url: CANARY } }] }]),
    UnresolvedKeyError: () => memory().saveContext({ one: CANARY, other: CANARY }, { output: CANARY }),
    IdempotencyConflictError: () =>
      conversation.append([{ role: 'user', content: `No, ${CANARY}` }], OPTIONS),
    MessagesConflictError: () => conversation.replaceNewest([{ role: 'user', content: CANARY }], []),
    PositionConflictError: () => conversation.append(TURN, { expectedPosition: 9 }),
    DatabaseUnavailableError: async () =>
      openStore(`postgres://ada:${PASSWORD}@127.0.0.1:${await freePort()}/chat`, { deadlineMs: 20 }),
    OutcomeUnknownError: async () => {
      const short = await openStore(created.url, { deadlineMs: 400 })
      await short.examine()
      try {
        await whileLocked(() => short.conversation(USER).append(TURN, { metadata: { note: CANARY } }))
      } finally {
        await short.close()
      }
    },
    DatabaseError: () => openStore(Object.assign(new URL(created.url), { pathname: `/${PASSWORD}` }).href),
    MissingKeyError: async () => {
      const codec = encryption({ keys: { only: masterKey(1) }, userSecret: () => undefined })
      await using erased = await openStore(created.url, { codec })
      await erased.conversation(USER).append(TURN, OPTIONS)
    },
    NotMigratedError: async () => {
      await using empty = await openStore('sqlite::memory:', { migrate: false })
      await empty.conversation(USER).append(TURN, OPTIONS)
    },
    RowLevelSecurityError: () => openStore(created.url, { rowLevelSecurity: true }),
    CorruptDataError: async () => {
      const damaged = store.conversation({ ...USER, conversationId: 'damaged' })
      await damaged.append(TURN)
      await admin`update backscroll_turns set messages = ${CANARY} where conversation_id = 'damaged'`
      await damaged.listTurns()
    },
    MissingDriverError: async () => {
      vi.doMock('postgres', () => {
        throw new Error(CANARY)
      })
      try {
        await openStore(`postgres://ada:${PASSWORD}@localhost/chat`)
      } finally {
        vi.doUnmock('postgres')
      }
    },
    StoreClosedError: async () => {
      const closed = await openStore('sqlite::memory:')
      await closed.close()
      await closed.conversation(USER).append(TURN, OPTIONS)
    },
    SynchronousTransactionError: async () => {
      await using host = sqliteHost({ onWarning: () => {} })
      await host.db.transaction((tx) => ({
        append: host.store.withTransaction(tx).conversation(USER).append(TURN, OPTIONS),
      })).append
    },
    SaveFailedError: async () => {
      const closing = await openStore(created.url)
      const verbose = async ({ type }: { type: string }) => (type === 'reply' ? closing.close() : undefined)
      await (await chain({ verbose, memory: { store: closing } })).predict({ input: CANARY })
    },
    IncompleteReplyError: async () => {
      server.next({ kind: 'end', after: 3 })
      await collect((await chain()).stream({ input: CANARY }))
    },
    PartialReplyError: async () => {
      const keeping = await chain({ keepPartial: true })
      const options = { idempotencyKey: CANARY }
      server.next({ kind: 'end', after: 3 })
      await collect(keeping.stream({ input: CANARY }, options)).catch(() => {})
      await keeping.predict({ input: CANARY }, options)
    },
    ModelTimeoutError: async () => {
      server.next({ kind: 'hang', after: 0 })
      await (await chain({ deadlineMs: 200 })).predict({ input: CANARY })
    },
    ContextWindowExceededError: async () =>
      (await chain({ contextWindow: 20, maxOutputTokens: 10 })).predict({ input: CANARY }),
    ToolLoopError: async () => {
      const tools = [{ type: 'function', function: { name: 'look_up' } }] as const
      const looping = await chain({ tools, runTool: () => CANARY, maxToolRounds: 1 })
      await looping.predict({ input: CANARY })
    },
  }

  it.each(Object.entries(PROVOKED))(
    'says no secret, and whether the turn may be stored: %s',
    async (name, call) => {
      const error = (await failure(call)) as BackscrollError
      expect(error.name).toBe(name)
      expectNoSecret(error)
      expect(error.mayBeStored).toBe(name === 'OutcomeUnknownError')
    },
  )

  it('has a case here', () => {
    const classes = Object.keys(allErrors).filter((name) => name !== 'BackscrollError')
    expect(Object.keys(PROVOKED).toSorted()).toEqual(classes.toSorted())
  })

  it('that wraps a write in doubt is in doubt as well', async () => {
    const short = await openStore(created.url, { deadlineMs: 400 })
    await short.examine()
    const [replied, locked] = [gate(), gate()]
    const verbose = async ({ type }: { type: string }) => {
      if (type !== 'reply') return
      replied.open()
      await locked.opened
    }
    try {
      const asked = failure((await chain({ verbose, memory: { store: short } })).predict({ input: CANARY }))
      await replied.opened
      const error = await whileLocked(() => {
        locked.open()
        return asked
      })
      expect(error).toBeInstanceOf(SaveFailedError)
      expectNoSecret(error)
      expect(error).toMatchObject({ reply: CANARY, mayBeStored: true })
    } finally {
      await short.close()
    }
  })

  /** Holds the table of the turns, so that a write on another connection waits; what it waited for is over after that. */
  function whileLocked<T>(call: () => Promise<T>): Promise<T> {
    return admin.begin(async (sql) => {
      await sql`lock table backscroll_turns in access exclusive mode`
      return call()
    }) as Promise<T>
  }

  function memory(): ConversationTokenBufferMemory {
    return new ConversationTokenBufferMemory({ store, ...USER })
  }
})

onEachDatabase('the command line', (database) => {
  it('says in one line what is wrong, and repeats no id, no text, no path and no URL', async () => {
    const store = await database.open()
    await store.conversation(USER).append(TURN, OPTIONS)
    const there = ['--database', database.url]
    const denied = withPassword(new URL(inject('postgresUrl'))).href
    const lines: readonly (readonly string[])[] = [
      [CANARY],
      ['list', `--databse=${denied}`],
      [denied],
      ['list', denied],
      ['list', '--database', denied],
      ['list', '--database', `mysql://ada:${PASSWORD}@localhost/chat`],
      ['list', '--database', `sqlite:/no/such/${PASSWORD}/chat.db`],
      ['list', ...there, '--user', `${CANARY}\ud800`],
      ['list', ...there, '--limit', CANARY],
      ['show', ...there, '--user', USER.userId, '--conversation', `not ${CANARY}`],
      ['show', ...there, '--user', USER.userId, '--conversation', USER.conversationId, '--limit', CANARY],
      [
        'recount',
        ...there,
        '--user',
        USER.userId,
        '--conversation',
        USER.conversationId,
        '--encoding',
        CANARY,
      ],
      ['forget', ...there, '--user', `not ${CANARY}`, '--yes'],
      ['forget', ...there, '--user', USER.userId],
      ['import', ...there, `/no/such/${PASSWORD}.jsonl`],
      ['migrate', '--database', denied, '--row-level-security', '--role', CANARY],
    ]
    for (const args of lines) {
      const { code, output, errors: said } = await runHere(args)
      expect(code, args[0]).toBeGreaterThan(0)
      expect(said).toMatch(/^backscroll: .+\n$/)
      expect(`${output}${said}`).not.toMatch(SECRETS)
    }
    expect(await store.conversation(USER).listTurns()).toHaveLength(1)
  })
})

describe('a process that is asked to say all that it can', () => {
  it('warns once, and writes no secret to its output', async () => {
    await using host = sqliteHost({ onWarning: () => {} })
    await host.store.migrate()
    const { output, codes, exitCode } = await run(
      `
      import { writeSync } from 'node:fs'
      import Database from 'better-sqlite3'
      import { drizzle } from 'drizzle-orm/better-sqlite3'
      import { openStore } from './src/index.ts'
      import { sqliteStore } from './src/sqlite.ts'
      const secret = ${JSON.stringify(CANARY)}
      const client = new Database(process.env.BACKSCROLL_URL.slice('sqlite:'.length))
      const conversation = sqliteStore(drizzle({ client })).conversation({ userId: secret, conversationId: secret })
      const turn = [{ role: 'user', content: secret }]
      await conversation.append(turn, { idempotencyKey: secret })
      await openStore('postgres://ada:${PASSWORD}@127.0.0.1:${await freePort()}/chat', { deadlineMs: 20 }).catch(console.error)
      const wrong = Object.assign(new URL(process.env.POSTGRES_URL), { password: '${PASSWORD}', pathname: '/${PASSWORD}' })
      await openStore(wrong.href).catch((error) => console.error(new Error('It failed.', { cause: error })))
      client.exec('alter table backscroll_turns rename to elsewhere')
      await conversation.append(turn).catch((error) => console.error(new AggregateError([error])))
      client.close()
      writeSync(3, JSON.stringify('came to its end'))
      await conversation.append(turn)
    `,
      {
        BACKSCROLL_URL: host.url,
        POSTGRES_URL: inject('postgresUrl'),
        DEBUG: '*',
        NODE_DEBUG: 'net,stream,fs,timer',
      },
    )
    expect(codes).toBe('came to its end')
    // Ended by the last call, whose error nobody caught.
    expect(exitCode).toBe(1)
    expect(output.match(/BackscrollWarning: /g)).toHaveLength(1)
    for (const code of ['DATABASE_UNAVAILABLE', 'DATABASE_ERROR', 'NOT_MIGRATED'])
      expect(output).toContain(code)
    expect(output).toMatch(/NET \d+: /)
    expect(output.split('\n').filter((line) => SECRETS.test(line))).toEqual([])
  })
})

/** Looks for a secret in everything that a log line, a debugger or an error tracker would show of an error. */
function expectNoSecret(error: unknown, code = /./): void {
  expect(error).toBeInstanceOf(BackscrollError)
  expect((error as BackscrollError).code).toMatch(code)
  expect((error as BackscrollError).mayBeStored).toEqual(expect.any(Boolean))
  // What its caller paid for, and finds by name alone.
  const carried = error instanceof SaveFailedError ? ['reply', 'messages', 'idempotencyKey', 'metadata'] : []
  for (const name of carried)
    expect(Object.prototype.propertyIsEnumerable.call(error, name), name).toBe(false)
  const shown: string[] = []
  const seen = new Set<unknown>()
  const look = (value: unknown): void => {
    if (typeof value === 'string') shown.push(value)
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value))
      return
    seen.add(value)
    if (value instanceof Error) shown.push(String(value), String(value.stack))
    for (const key of Reflect.ownKeys(value)) {
      shown.push(String(key))
      if (!carried.includes(String(key))) look(Reflect.get(value, key))
    }
  }
  look(error)
  const showHidden = carried.length === 0
  for (const form of [
    error,
    structuredClone(error),
    { ...(error as object) },
    new AggregateError([error]),
    new Error('It failed.', { cause: error }),
  ]) {
    shown.push(inspect(form, { depth: null, showHidden, getters: true }), JSON.stringify(form))
  }
  expect(shown.filter((text) => SECRETS.test(text))).toEqual([])
}

async function failure(call: (() => unknown) | Promise<unknown>): Promise<Error>
async function failure(call: () => unknown, options: { orNone: true }): Promise<Error | undefined>
async function failure(
  call: (() => unknown) | Promise<unknown>,
  { orNone = false } = {},
): Promise<Error | undefined> {
  try {
    await (typeof call === 'function' ? call() : call)
  } catch (error) {
    return error as Error
  }
  if (orNone) return undefined
  throw new Error('It was accepted.')
}

/** The same few statements on each database, past the library. */
interface RawSql {
  run(statement: string, ...values: string[]): Promise<void>
  /** Makes the database refuse every row of both tables. */
  refuseRows(): Promise<void>
  acceptRows(): Promise<void>
  /** The code that a refused row then has. */
  readonly refusal: string
  end(): Promise<void>
}

async function openRaw(database: TestDatabase): Promise<RawSql> {
  return database.name === 'sqlite' ? rawSqlite(database.url) : rawPostgres(database.url)
}

function rawSqlite(url: string): RawSql {
  const client = new Database(url.slice('sqlite:'.length), { timeout: 5000 })
  const tables = { turns: 'insert', conversations: 'update' }
  return {
    run: async (statement, ...values) =>
      void client.prepare(statement.replaceAll(/\$\d/g, '?')).run(...values),
    // SQLite itself would name the constraint only; a host's trigger may say more
    refuseRows: async () => {
      for (const [table, event] of Object.entries(tables))
        client.exec(
          `create trigger refuse_${table} before ${event} on backscroll_${table}
           begin select raise(abort, 'refused: ${CANARY}'); end`,
        )
    },
    acceptRows: async () => {
      for (const table of Object.keys(tables)) client.exec(`drop trigger refuse_${table}`)
    },
    refusal: 'SQLITE_CONSTRAINT_TRIGGER',
    end: async () => void client.close(),
  }
}

function rawPostgres(url: string): RawSql {
  const client = postgres(url, { max: 1, onnotice: () => {} })
  const tables = ['turns', 'conversations']
  return {
    run: async (statement, ...values) => void (await client.unsafe(statement, values)),
    // "Failing row contains (…)", says Postgres of it
    refuseRows: async () => {
      for (const table of tables)
        await client.unsafe(
          `alter table backscroll_${table} add constraint refuse check (metadata not like '%dollars%') not valid`,
        )
    },
    acceptRows: async () => {
      for (const table of tables)
        await client.unsafe(`alter table backscroll_${table} drop constraint refuse`)
    },
    refusal: '23514',
    end: () => client.end(),
  }
}

function withPassword(url: URL): URL {
  url.password = PASSWORD
  return url
}

async function freePort(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('No free port on 127.0.0.1.')
  return String(address.port)
}

/** Runs a module in a process of its own. What it writes to the file 3 is its result; what it prints is its output. */
function run(code: string, env: Record<string, string>) {
  return new Promise<{ codes: unknown; output: string; exitCode: number | null }>((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', code], {
      cwd: new URL('..', import.meta.url),
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
    let [output, errors, result] = ['', '', '']
    child.stdout!.on('data', (chunk) => (output += String(chunk)))
    child.stderr!.on('data', (chunk) => (errors += String(chunk)))
    child.stdio[3]!.on('data', (chunk) => (result += String(chunk)))
    child.on('error', reject)
    child.on('close', (exitCode) =>
      resolve({ codes: result && JSON.parse(result), output: output + errors, exitCode }),
    )
  })
}
