import Sqlite from 'better-sqlite3'
import { Cache } from 'drizzle-orm/cache/core'
import { eq } from 'drizzle-orm'
import { integer as pgInteger, pgTable, text as pgText } from 'drizzle-orm/pg-core'
import { sqliteTable, text as sqliteText } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import * as postgresModule from '../src/postgres.ts'
import * as sqliteModule from '../src/sqlite.ts'
import { gate, postgresHost, sqliteHost } from './support/hosts.ts'
import { expectConsistent, oneTo, turnOf } from './support/inspect.ts'

const KEY = { userId: 'ada', conversationId: 'c' }

/** What the host's own code throws to have its transaction undone. */
class HostError extends Error {}

describe("a host's transaction on sqlite", () => {
  const notes = sqliteTable('notes', { id: sqliteText('id').primaryKey() })

  async function host() {
    const made = sqliteHost()
    made.client.exec('create table notes (id text primary key)')
    await made.store.migrate()
    return made
  }

  it("commits a turn together with the host's own row", async () => {
    await using app = await host()
    const stored = app.db.transaction((tx) => {
      tx.insert(notes).values({ id: 'n' }).run()
      return app.store
        .withTransaction(tx)
        .conversation(KEY)
        .appendSync(turnOf('one'), { idempotencyKey: 'k' })
    })
    expect(stored).toMatchObject({ position: 1, replayed: false })
    expect(await app.store.conversation(KEY).listTurns()).toEqual([stored])
    expect(app.db.select().from(notes).all()).toEqual([{ id: 'n' }])
    expect(await expectConsistent(app, KEY)).toHaveLength(1)
  })

  it('takes the turn back together with it', async () => {
    await using app = await host()
    await app.store.conversation(KEY).append(turnOf('one'))
    const undone = () =>
      app.db.transaction((tx) => {
        tx.insert(notes).values({ id: 'n' }).run()
        const conversation = app.store.withTransaction(tx).conversation(KEY)
        expect(conversation.appendSync(turnOf('two'))).toMatchObject({ position: 2 })
        expect(conversation.appendSync(turnOf('three'))).toMatchObject({ position: 3 })
        // Inside, what was written is there.
        expect(conversation.loadWindowSync({ maxTokens: 1000 }).turns).toHaveLength(3)
        throw new HostError()
      })
    expect(undone).toThrow(HostError)
    expect(app.db.select().from(notes).all()).toEqual([])
    expect(await expectConsistent(app, KEY)).toHaveLength(1)
    expect(await app.store.conversation(KEY).append(turnOf('two'))).toMatchObject({ position: 2 })
  })

  it('goes on after an append that was refused in it', async () => {
    await using app = await host()
    app.db.transaction((tx) => {
      const conversation = app.store.withTransaction(tx).conversation(KEY)
      conversation.appendSync(turnOf('one'), { idempotencyKey: 'k' })
      expect(() => conversation.appendSync(turnOf('other'), { idempotencyKey: 'k' })).toThrow(
        expect.objectContaining({ code: 'IDEMPOTENCY_CONFLICT' }) as Error,
      )
      expect(() => conversation.appendSync(turnOf('two'), { expectedPosition: 0 })).toThrow(
        expect.objectContaining({ code: 'POSITION_CONFLICT', actualPosition: 1 }) as Error,
      )
      expect(conversation.appendSync(turnOf('one'), { idempotencyKey: 'k' })).toMatchObject({
        replayed: true,
      })
      tx.insert(notes).values({ id: 'n' }).run()
    })
    expect(app.db.select().from(notes).all()).toHaveLength(1)
    expect(await expectConsistent(app, KEY)).toHaveLength(1)
  })

  it('is recounted in whole when it is opened under another encoding', async () => {
    await using app = await host()
    for (const text of ['one', 'two']) await app.store.conversation(KEY).append(turnOf(`${text} 你好世界`))
    const gpt2 = { ...KEY, encoding: 'gpt2' } as const
    const window = app.db.transaction((tx) => {
      const conversation = app.store.withTransaction(tx).conversation(gpt2)
      conversation.appendSync(turnOf('three 你好世界'))
      return conversation.loadWindowSync({ maxTokens: 10_000 })
    })
    expect(await app.store.conversation(gpt2).loadWindow({ maxTokens: 10_000 })).toEqual(window)
    expect(await expectConsistent(app, KEY)).toHaveLength(3)
  })

  const waiting: Record<string, (conversation: sqliteModule.SyncConversation) => Promise<unknown>> = {
    append: (conversation) => conversation.append(turnOf('x')),
    loadWindow: (conversation) => conversation.loadWindow({ maxTokens: 10 }),
    listTurns: (conversation) => conversation.listTurns(),
    rewind: (conversation) => conversation.rewind({ to: 0 }),
    clear: (conversation) => conversation.clear(),
    recount: (conversation) => conversation.recount(),
    setMetadata: (conversation) => conversation.setMetadata({}),
  }

  it.each(Object.entries(waiting))(
    'cannot wait: %s is refused in it and does nothing later',
    async (_, call) => {
      await using app = await host()
      await app.store.conversation(KEY).append(turnOf('one'))
      const refused = app.db.transaction((tx) => {
        const store = app.store.withTransaction(tx)
        return [call(store.conversation(KEY)), store.listConversations('ada'), store.forgetUser('ada')]
      })
      for (const result of refused)
        await expect(result).rejects.toMatchObject({ code: 'SYNCHRONOUS_TRANSACTION' })
      expect(await expectConsistent(app, KEY)).toHaveLength(1)
    },
  )

  it('takes only a transaction of drizzle', async () => {
    await using app = await host()
    for (const wrong of [app.db, app.client, {}, null, undefined, 'tx']) {
      expect(() => app.store.withTransaction(wrong as never)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as Error,
      )
    }
  })

  it('is not needed: the synchronous twins work by themselves', async () => {
    await using app = await host()
    const conversation = app.store.conversation(KEY)
    for (const position of oneTo(3)) {
      expect(conversation.appendSync(turnOf(`${position}`))).toMatchObject({ position, replayed: false })
    }
    const window = conversation.loadWindowSync({ maxTokens: 1000 })
    expect(window).toEqual(await conversation.loadWindow({ maxTokens: 1000 }))
    expect(window.turns).toEqual(await conversation.listTurns())
    expect(() => conversation.loadWindowSync({ maxTokens: -1 })).toThrow(
      expect.objectContaining({ code: 'INVALID_LIMIT' }) as Error,
    )
    await expectConsistent(app, KEY)
  })

  it('says at once when another connection is writing, or the tables are missing', async () => {
    await using app = await host()
    app.client.pragma('busy_timeout = 0')
    const writer = new Sqlite(app.url.slice('sqlite:'.length))
    writer.exec('begin immediate')
    const conversation = app.store.conversation(KEY)
    expect(() => conversation.appendSync(turnOf('x'))).toThrow(
      expect.objectContaining({ code: 'DATABASE_UNAVAILABLE' }) as Error,
    )
    writer.exec('rollback')
    writer.close()
    expect(conversation.appendSync(turnOf('x'))).toMatchObject({ position: 1 })
    app.client.exec('drop table backscroll_turns; drop table backscroll_conversations')
    expect(() => conversation.appendSync(turnOf('x'))).toThrow(
      expect.objectContaining({ code: 'NOT_MIGRATED' }) as Error,
    )
  })

  it("leaves the host's connection open and its settings alone when the store is closed", async () => {
    await using app = await host()
    const settings = () =>
      ['synchronous', 'busy_timeout', 'foreign_keys'].map((name) => app.client.pragma(name))
    const before = settings()
    await app.store.conversation(KEY).append(turnOf('one'))
    await app.store.close()
    expect(settings()).toEqual(before)
    expect(() => app.store.conversation(KEY).appendSync(turnOf('x'))).toThrow(
      expect.objectContaining({ code: 'STORE_CLOSED' }) as Error,
    )
    expect(app.client.open).toBe(true)
    expect(app.db.select().from(notes).all()).toEqual([])
  })

  it('erases turns with their user, also where foreign keys are off', async () => {
    await using app = await host()
    app.client.pragma('foreign_keys = off')
    await app.store.conversation(KEY).append(turnOf('one'))
    expect(await app.store.forgetUser('ada')).toEqual({ conversations: 1, turns: 1 })
    expect(app.client.prepare('select count(*) as left from backscroll_turns').get()).toEqual({ left: 0 })
  })

  it("finds its tables in the schema, to join them with the host's", async () => {
    await using app = await host()
    await app.store.conversation(KEY).append(turnOf('one'))
    app.db.insert(notes).values({ id: 'c' }).run()
    const { conversations } = sqliteModule.schema
    const rows = app.db
      .select({ id: notes.id, turns: conversations.turnCount })
      .from(notes)
      .innerJoin(conversations, eq(conversations.id, notes.id))
      .all()
    expect(rows).toEqual([{ id: 'c', turns: 1 }])
  })
})

describe("a host's transaction on postgres", () => {
  const notes = pgTable('notes', { id: pgText('id').primaryKey(), size: pgInteger('size') })

  async function host(options?: Parameters<typeof postgresHost>[0]) {
    const made = await postgresHost(options)
    await made.client`create table notes (id text primary key, size integer)`
    await made.store.migrate()
    return made
  }

  it("commits a turn together with the host's own row", async () => {
    await using app = await host()
    const stored = await app.db.transaction(async (tx) => {
      await tx.insert(notes).values({ id: 'n' })
      const conversation = app.store.withTransaction(tx).conversation(KEY)
      const first = await conversation.append(turnOf('one'), { idempotencyKey: 'k' })
      // Nobody else sees it before the commit.
      expect(await app.store.conversation(KEY).listTurns()).toEqual([])
      expect((await conversation.loadWindow({ maxTokens: 1000 })).turns).toEqual([first])
      return first
    })
    expect(await app.store.conversation(KEY).listTurns()).toEqual([stored])
    expect(await app.db.select().from(notes)).toEqual([{ id: 'n', size: null }])
    expect(await expectConsistent(app, KEY)).toHaveLength(1)
  })

  it('takes the turn back together with it', async () => {
    await using app = await host()
    await app.store.conversation(KEY).append(turnOf('one'))
    const undone = app.db.transaction(async (tx) => {
      await tx.insert(notes).values({ id: 'n' })
      const store = app.store.withTransaction(tx)
      await store.conversation(KEY).append(turnOf('two'))
      await store.conversation(KEY).rewind({ to: 1 })
      await store.conversation(KEY).append(turnOf('three'))
      await store.conversation(KEY).setMetadata({ a: 1 })
      throw new HostError()
    })
    await expect(undone).rejects.toBeInstanceOf(HostError)
    expect(await app.db.select().from(notes)).toEqual([])
    expect(await expectConsistent(app, KEY)).toHaveLength(1)
    expect(await app.store.listConversations('ada')).toMatchObject([{ turnCount: 1, metadata: null }])
    expect(await app.store.conversation(KEY).append(turnOf('two'))).toMatchObject({ position: 2 })
  })

  it('goes on after an append that was refused in it', async () => {
    await using app = await host()
    await app.db.transaction(async (tx) => {
      const conversation = app.store.withTransaction(tx).conversation(KEY)
      await conversation.append(turnOf('one'), { idempotencyKey: 'k' })
      await expect(conversation.append(turnOf('other'), { idempotencyKey: 'k' })).rejects.toMatchObject({
        code: 'IDEMPOTENCY_CONFLICT',
      })
      await expect(conversation.append(turnOf('two'), { expectedPosition: 0 })).rejects.toMatchObject({
        code: 'POSITION_CONFLICT',
      })
      expect(await conversation.append(turnOf('one'), { idempotencyKey: 'k' })).toMatchObject({
        replayed: true,
      })
      await tx.insert(notes).values({ id: 'n' })
    })
    expect(await app.db.select().from(notes)).toHaveLength(1)
    expect(await expectConsistent(app, KEY)).toHaveLength(1)
  })

  it('works through every method on its own connection, also when the pool has no other', async () => {
    await using app = await host()
    // Takes the other seven connections for as long as the transaction runs.
    const release = gate()
    const taken = oneTo(7).map(() => app.client.begin(() => release.opened))
    const answers = await app.db.transaction(async (tx) => {
      const store = app.store.withTransaction(tx)
      const conversation = store.conversation(KEY)
      for (const text of ['one', 'two', 'three']) await conversation.append(turnOf(text))
      await conversation.recount({ encoding: 'cl100k_base' })
      return [
        await conversation.rewind({ to: 2 }),
        (await conversation.listTurns({ before: 9 })).length,
        (await conversation.loadWindow({ maxTokens: 1000 })).turns.length,
        (await store.listConversations('ada')).length,
        await conversation.clear(),
        await store.forgetUser('ada'),
      ]
    })
    release.open()
    await Promise.all(taken)
    expect(answers).toEqual([{ turns: 1 }, 2, 2, 1, { turns: 2 }, { conversations: 1, turns: 0 }])
  })

  it('is not tried again in: a failed statement is for the host to roll back', async () => {
    await using app = await host()
    const failed = app.db.transaction(async (tx) => {
      await tx.execute('select 1 / 0').catch(() => {})
      await app.store.withTransaction(tx).conversation(KEY).append(turnOf('one'))
    })
    // 25P02: the transaction had failed before.
    await expect(failed).rejects.toMatchObject({ code: 'DATABASE_ERROR', cause: { code: '25P02' } })
    expect(await expectConsistent(app, KEY)).toEqual([])
  })

  it('takes only a transaction of drizzle', async () => {
    await using app = await host()
    for (const wrong of [app.db, app.client, {}, null, undefined, 'tx']) {
      expect(() => app.store.withTransaction(wrong as never)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as Error,
      )
    }
  })

  it("leaves the host's client open when the store is closed", async () => {
    await using app = await host()
    await app.store.conversation(KEY).append(turnOf('one'))
    await app.store.close()
    await expect(app.store.conversation(KEY).listTurns()).rejects.toMatchObject({ code: 'STORE_CLOSED' })
    expect(await app.db.select().from(notes)).toEqual([])
    expect(await postgresModule.postgresStore(app.db).conversation(KEY).listTurns()).toHaveLength(1)
  })

  it("leaves what the host's client makes of its values as it was", async () => {
    await using app = await host()
    const read = () =>
      app.client`select now() as time, 1::bigint as number, '{"a":1}'::json as object`.then(([row]) => row)
    const types = (row: Record<string, unknown> | undefined) =>
      Object.values(row ?? {}).map((value) => typeof value)
    const before = types(await read())
    await app.store.conversation(KEY).append(turnOf('one'))
    await app.store.conversation(KEY).loadWindow({ maxTokens: 100 })
    expect(types(await read())).toEqual(before)
  })

  it('never gives a window out of a cache that the host has for all its queries', async () => {
    const cache = new RememberEverything()
    await using app = await host({ cache })
    // The cache is in use: the host's own query comes out of it, although the row has changed.
    await app.client`insert into notes (id, size) values ('n', 1)`
    const sizes = () => app.db.select({ size: notes.size }).from(notes)
    expect(await sizes()).toEqual([{ size: 1 }])
    await app.client`update notes set size = 2`
    expect(await sizes()).toEqual([{ size: 1 }])

    const other = postgresModule.postgresStore(app.db)
    const conversation = app.store.conversation(KEY)
    for (const turns of oneTo(3)) {
      await other.conversation(KEY).append(turnOf('x'), { idempotencyKey: `${turns}` })
      await app.client`update backscroll_conversations set updated_at = to_timestamp(${turns})`
      expect((await conversation.loadWindow({ maxTokens: 1000 })).turns).toHaveLength(turns)
      expect(await conversation.listTurns()).toHaveLength(turns)
      expect(await conversation.listTurns({ before: 99 })).toHaveLength(turns)
      expect(await app.store.listConversations('ada')).toMatchObject([
        { turnCount: turns, updatedAt: new Date(turns * 1000) },
      ])
    }
    await other.conversation(KEY).clear()
    expect((await conversation.loadWindow({ maxTokens: 1000 })).turns).toEqual([])
    expect(await other.forgetUser('ada')).toEqual({ conversations: 1, turns: 0 })
    expect(await other.forgetUser('ada')).toEqual({ conversations: 0, turns: 0 })
    // A repeated append looks like the one before it, and yet must be run.
    const append = () => conversation.append(turnOf('same'))
    expect([(await append()).position, (await append()).position]).toEqual([1, 2])
  })

  it("finds its tables in the schema, to join them with the host's", async () => {
    await using app = await host()
    await app.store.conversation(KEY).append(turnOf('one'))
    await app.db.insert(notes).values({ id: 'c' })
    const { conversations } = postgresModule.schema
    const rows = await app.db
      .select({ id: notes.id, turns: conversations.turnCount })
      .from(notes)
      .innerJoin(conversations, eq(conversations.id, notes.id))
    expect(rows).toEqual([{ id: 'c', turns: 1 }])
  })
})

/** The worst cache there can be: for every query, and nothing is ever taken out of it. */
class RememberEverything extends Cache {
  readonly #answers = new Map<string, unknown[]>()

  override strategy(): 'all' {
    return 'all'
  }

  override async get(key: string): Promise<unknown[] | undefined> {
    return this.#answers.get(key)
  }

  override async put(key: string, answer: unknown[]): Promise<void> {
    this.#answers.set(key, answer)
  }

  override async onMutate(): Promise<void> {}
}
