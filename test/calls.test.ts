import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate, setTimeout } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import postgres from 'postgres'
import { describe, expect, inject, it, onTestFinished, vi } from 'vitest'
import { openStore, type ConversationStore, type Message, type StoredTurn } from '../src/index.ts'
import { RESTLESS } from './support/codecs.ts'
import { onEachDatabase } from './support/databases.ts'
import { gate, postgresHost, untilWaiting } from './support/hosts.ts'
import { expectConsistent, oneTo, turnOf } from './support/inspect.ts'

const KEY = { userId: 'ada', conversationId: 'c' }

/** What tells one error from another. */
function outline(error: unknown) {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } }
  return { code, cause: cause?.code }
}

const ANSWER: Message = { role: 'assistant', content: 'more' }

interface Call {
  readonly signal?: AbortSignal
}

/** Every method that asks the database something. */
const READS: Record<string, (store: ConversationStore, call?: Call) => Promise<unknown>> = {
  loadWindow: (store, call) => store.conversation(KEY).loadWindow({ maxTokens: 1000, ...call }),
  listTurns: (store, call) => store.conversation(KEY).listTurns(call),
  'listTurns before': (store, call) => store.conversation(KEY).listTurns({ before: 9, ...call }),
  findTurn: (store, call) => store.conversation(KEY).findTurn('k', call),
  countedAs: (store, call) => store.conversation(KEY).countedAs(call),
  listConversations: (store, call) => store.listConversations('ada', call),
}
const WRITES: Record<string, (store: ConversationStore, call?: Call) => Promise<unknown>> = {
  append: (store, call) => store.conversation(KEY).append(turnOf('x'), call),
  'append with a key': (store, call) =>
    store.conversation(KEY).append(turnOf('keyed'), { idempotencyKey: 'k', ...call }),
  addMessages: (store, call) => store.conversation(KEY).addMessages([ANSWER, ...turnOf('x')], call),
  'addMessages with a key': (store, call) =>
    store.conversation(KEY).addMessages([ANSWER], { idempotencyKey: 'k', ...call }),
  popMessage: (store, call) => store.conversation(KEY).popMessage(call),
  replaceNewest: (store, call) => store.conversation(KEY).replaceNewest([], [ANSWER], call),
  rewind: (store, call) => store.conversation(KEY).rewind({ to: 0, ...call }),
  clear: (store, call) => store.conversation(KEY).clear(call),
  recount: (store, call) => store.conversation(KEY).recount({ encoding: 'gpt2', ...call }),
  setMetadata: (store, call) => store.conversation(KEY).setMetadata({ a: 1 }, call),
  reencrypt: (store, call) => store.reencrypt('ada', call),
  forgetUser: (store, call) => store.forgetUser('ada', call),
}
const METHODS: typeof READS = { ...READS, ...WRITES }

onEachDatabase('a signal', (database) => {
  it.each(
    Object.entries({ ...METHODS, migrate: (store: ConversationStore, call?: Call) => store.migrate(call) }),
  )('that was aborted before stops the call, and nothing is written: %s', async (_, method) => {
    const store = await database.open({ codec: RESTLESS })
    await store.forgetUser('ada')
    await store.conversation(KEY).append(turnOf('one'))
    const reason = new Error('no longer wanted')
    await expect(method(store, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(await store.listConversations('ada')).toMatchObject([{ turnCount: 1, metadata: null }])
    await expectConsistent(database, KEY)
  })

  it('that is never aborted changes nothing, and keeps no listener', async () => {
    const store = await database.open({ codec: RESTLESS })
    const { signal } = new AbortController()
    const listeners = new Set<unknown>()
    const { addEventListener, removeEventListener } = signal
    signal.addEventListener = (...args: unknown[]) => {
      listeners.add(args[1])
      addEventListener.apply(signal, args as never)
    }
    signal.removeEventListener = (...args: unknown[]) => {
      listeners.delete(args[1])
      removeEventListener.apply(signal, args as never)
    }
    for (const method of Object.values(METHODS)) await method(store, { signal })
    expect(listeners.size).toBe(0)
  })
})

describe('a signal on postgres', () => {
  it.each(Object.entries(METHODS))(
    'that is aborted while the server waits frees the caller: %s',
    async (_, method) => {
      await using host = await postgresHost({ codec: RESTLESS })
      await host.store.migrate()
      await host.store.conversation(KEY).append(turnOf('one'))
      const locked = gate()
      const release = gate()
      const holding = host.client.begin(async (client) => {
        await client`lock table backscroll_conversations, backscroll_turns in access exclusive mode`
        locked.open()
        await release.opened
      })
      await locked.opened
      const controller = new AbortController()
      const called = expect(method(host.store, { signal: controller.signal })).rejects.toBe('enough')
      await untilWaiting(host)
      controller.abort('enough')
      // The lock is still held: the call does not wait for its statement to end.
      await called
      release.open()
      await holding
      // What the server may have done after all is whole, and the client can go on.
      await expectConsistent(host, KEY)
      expect(await host.store.conversation(KEY).append(turnOf('next'))).toMatchObject({ replayed: false })
    },
  )
})

describe('on sqlite, while another connection writes', () => {
  /** A store on a file of its own, and a connection of another that takes the write lock. */
  async function lockedStore() {
    const folder = mkdtempSync(join(tmpdir(), 'backscroll-locked-'))
    const path = join(folder, 'test.db')
    const store = await openStore(`sqlite:${path}`, { codec: RESTLESS })
    await store.conversation(KEY).append(turnOf('one'))
    const writer = new Sqlite(path)
    onTestFinished(async () => {
      writer.close()
      await store.close()
      rmSync(folder, { recursive: true, force: true })
    })
    writer.exec('begin immediate')
    return { store, writer, database: { name: 'sqlite', url: `sqlite:${path}` } as const }
  }

  it('a write waits until the lock is free, and others run meanwhile', async () => {
    const { store, writer, database } = await lockedStore()
    let ticks = 0
    const ticking = setInterval(() => ticks++, 10)
    const called = Promise.all(Object.values(WRITES).map((method) => method(store)))
    // The lock is held by this very process: were it blocked by the wait, the lock would never be free.
    await setTimeout(500)
    expect(ticks).toBeGreaterThan(3)
    writer.exec('commit')
    await called
    clearInterval(ticking)
    await expectConsistent(database, KEY)
  })

  it.each(Object.entries(WRITES))('%s stops waiting when its signal is aborted', async (_, method) => {
    const { store, writer, database } = await lockedStore()
    const controller = new AbortController()
    const called = expect(method(store, { signal: controller.signal })).rejects.toBe('enough')
    await setTimeout(50)
    controller.abort('enough')
    await called
    writer.exec('commit')
    expect(await store.listConversations('ada')).toMatchObject([{ turnCount: 1, metadata: null }])
    await expectConsistent(database, KEY)
  })

  it.each(Object.entries(READS))('%s does not wait', async (_, method) => {
    const { store } = await lockedStore()
    await method(store)
    expect(await store.conversation(KEY).listTurns()).toHaveLength(1)
  })

  it('a write fails at its deadline, and was not done', async () => {
    const { writer, database } = await lockedStore()
    await using impatient = await openStore(database.url, { deadlineMs: 100, migrate: false })
    await expect(impatient.conversation(KEY).append(turnOf('x'))).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      cause: { code: 'SQLITE_BUSY' },
    })
    writer.exec('commit')
    expect(await expectConsistent(database, KEY)).toHaveLength(1)
  })
})

describe('on postgres, a deadline', () => {
  it('leaves open what became of a write that waits for a lock; its key settles it', async () => {
    await using host = await postgresHost()
    await host.store.migrate()
    await using store = await openStore(host.url, { deadlineMs: 1000, migrate: false })
    const conversation = store.conversation(KEY)
    await conversation.append(turnOf('one'))
    const locked = gate()
    const release = gate()
    const holding = host.client.begin(async (client) => {
      await client`select * from backscroll_conversations for update`
      locked.open()
      await release.opened
    })
    await locked.opened
    const append = () => conversation.append(turnOf('two'), { idempotencyKey: 'k' })
    await expect(append()).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN', mayBeStored: true })
    // The store is healthy: what does not need the row goes on.
    expect(await conversation.listTurns()).toHaveLength(1)
    expect(await store.conversation({ ...KEY, conversationId: 'other' }).append(turnOf('x'))).toMatchObject({
      position: 1,
    })
    release.open()
    await holding
    expect(await append()).toMatchObject({ position: 2 })
    expect(await expectConsistent(host, KEY)).toHaveLength(2)
  })

  it('that a lock makes a call miss piles up no connections, and leaves those of others alone', async () => {
    await using host = await postgresHost()
    await host.store.migrate()
    const store = await openStore(host.url, { deadlineMs: 200, maxConnections: 2, migrate: false })
    const slow = { userId: 'grace', conversationId: 'c' }
    for (const key of [KEY, slow]) await store.conversation(key).append(turnOf('one'))
    const [late, long] = [gate(), gate()]
    const hold = async (userId: string, release: Promise<void>) => {
      const locked = gate()
      const held = host.client.begin(async (client) => {
        await client`select * from backscroll_conversations where user_id = ${userId} for update`
        locked.open()
        await release
      })
      await locked.opened
      return { held }
    }
    const holding = [await hold(KEY.userId, late.opened), await hold(slow.userId, long.opened)]
    // It may take thirty times as long as the others, and does.
    const forgetting = store.forgetUser(slow.userId)
    await untilWaiting(host)
    for (const turn of oneTo(12)) {
      const append = store.conversation(KEY).append(turnOf(`late ${turn}`))
      await expect(append).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    }
    const [waiting] = await host.client`
      select count(*)::int as backends from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`
    // Three pools of two at the most: the one in use, and two that were left.
    expect(waiting?.['backends']).toBeLessThanOrEqual(6)
    long.open()
    expect(await forgetting).toEqual({ conversations: 1, turns: 1 })
    late.open()
    await Promise.all(holding.map(({ held }) => held))
    await store.close()
    await vi.waitFor(async () => {
      const rows = await host.client`
        select pid from pg_stat_activity
        where datname = current_database() and query like '%backscroll_turns as t%' and pid <> pg_backend_pid()`
      expect([...rows]).toEqual([])
    })
    await expectConsistent(host, KEY)
  })

  it('ends every call to a server that accepts and never answers', async () => {
    const server = await silentServer()
    const store = await openStore(server.url, { migrate: false, deadlineMs: 300 })
    await Promise.all([
      ...Object.values(READS).map((read) =>
        expect(read(store)).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' }),
      ),
      // Nothing of these was on its way: the database's settings were asked for first.
      expect(WRITES['append']!(store)).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
        mayBeStored: false,
      }),
      expect(WRITES['setMetadata']!(store)).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' }),
    ])
    await server.end()
    await store.close()
  })

  // The limit is that of the test: a call that works through a whole conversation may take thirty times the deadline when
  // it works, but not to find that nobody is there.
  it(
    'ends every call to a server that is not there, which has written nothing',
    { timeout: 15_000 },
    async () => {
      const options = { migrate: false, deadlineMs: 2000, codec: RESTLESS }
      await using store = await openStore(await urlOfNobody(), options)
      const calls: typeof METHODS = { ...METHODS, migrate: (each) => each.migrate() }
      // Twice, since a driver that knows that nobody is there may not even try.
      for (const _ of oneTo(2)) {
        const results = await Promise.all(
          Object.entries(calls).map(async ([name, method]) => [name, await method(store).catch(outline)]),
        )
        const unavailable = { code: 'DATABASE_UNAVAILABLE', cause: 'ECONNREFUSED' }
        expect(results).toEqual(Object.keys(calls).map((name) => [name, unavailable]))
      }
    },
  )

  it('ends the opening of a store as well', { timeout: 10_000 }, async () => {
    await expect(openStore(await urlOfNobody(), { deadlineMs: 500 })).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      cause: { code: 'ECONNREFUSED' },
    })
  })

  it('must be a whole number of milliseconds', async () => {
    for (const deadlineMs of [0, -1, 1.5, Number.NaN, Infinity, 3_600_001, '100' as never]) {
      await expect(openStore('sqlite::memory:', { deadlineMs })).rejects.toMatchObject({
        code: 'INVALID_LIMIT',
      })
    }
  })
})

describe('a server that kills connections', () => {
  it('makes nothing lost or doubled among 200 appends with keys', async () => {
    await using host = await postgresHost()
    await host.store.migrate()
    await using store = await openStore(host.url, { maxConnections: 8, deadlineMs: 30_000 })
    const conversation = store.conversation(KEY)
    await conversation.append(turnOf('turn 0'), { idempotencyKey: 'turn 0' })

    const state = { appending: true }
    let killed = 0
    const admin = postgres(inject('postgresUrl'), { max: 1, fetch_types: false })
    const database = new URL(host.url).pathname.slice(1)
    const killing = (async () => {
      while (state.appending) {
        const rows = await admin`
          select pg_terminate_backend(pid) from pg_stat_activity
          where datname = ${database} and query like '%backscroll%'`
        killed += rows.length
        await setTimeout(40)
      }
    })()

    const acknowledged: StoredTurn[] = []
    let next = 1
    await Promise.all(
      oneTo(8).map(async () => {
        while (next <= 200) {
          const text = `turn ${next++}`
          acknowledged.push(await conversation.append(turnOf(text), { idempotencyKey: text }))
        }
      }),
    )
    state.appending = false
    await killing
    await admin.end()

    expect(killed).toBeGreaterThan(8)
    const rows = await expectConsistent(host, KEY)
    expect(rows.map(({ position }) => position)).toEqual(oneTo(201))
    expect(new Set(rows.map(({ key }) => key)).size).toBe(201)
    expect(acknowledged).toHaveLength(200)
    for (const { position, messages } of acknowledged) {
      expect(rows[position - 1]).toMatchObject({ content: messages[0]!.content })
    }
    // Vitest fails the run for a rejection that nobody handled.
  })

  it('tells a caller without a key that its turn may have been stored', async () => {
    await using host = await postgresHost()
    await host.store.migrate()
    await host.store.conversation(KEY).append(turnOf('one'))
    await using store = await openStore(host.url, { migrate: false })
    const locked = gate()
    const release = gate()
    const holding = host.client.begin(async (client) => {
      await client`select * from backscroll_conversations for update`
      locked.open()
      await release.opened
    })
    await locked.opened
    const called = expect(store.conversation(KEY).append(turnOf('two'))).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
    })
    await untilWaiting(host)
    await host.client`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`
    await called
    release.open()
    await holding
    // The next call gets a new connection.
    expect(await store.conversation(KEY).append(turnOf('three'))).toMatchObject({ position: 2 })
  })
})

onEachDatabase('a closed store', (database) => {
  it.each(Object.entries({ ...METHODS, migrate: (store: ConversationStore) => store.migrate() }))(
    'says that it is closed: %s',
    async (_, method) => {
      const store = await database.open({ codec: RESTLESS })
      await store.close()
      await expect(method(store)).rejects.toMatchObject({ code: 'STORE_CLOSED' })
    },
  )

  it('may be closed again, also at the same time', async () => {
    const store = await database.open()
    await store.conversation(KEY).append(turnOf('one'))
    await Promise.all([store.close(), store.close()])
    await store.close()
    expect(await (await database.open()).conversation(KEY).listTurns()).toHaveLength(1)
  })

  it('is what `await using` leaves behind', async () => {
    let kept: ConversationStore
    {
      await using store = await openStore(database.url)
      kept = store
      await store.conversation({ ...KEY, conversationId: 'using' }).append(turnOf('one'))
    }
    await expect(kept.listConversations('ada')).rejects.toMatchObject({ code: 'STORE_CLOSED' })
  })

  it('has stored what it acknowledged, when it was closed with appends under way', async () => {
    const key = { ...KEY, conversationId: 'closing' }
    const store = await database.open()
    await store.conversation(key).append(turnOf('turn 0'))
    const results = Promise.allSettled(
      oneTo(8).map((turn) => store.conversation(key).append(turnOf(`turn ${turn}`))),
    )
    await setImmediate()
    await store.close()
    const rows = await expectConsistent(database, key)
    for (const result of await results) {
      if (result.status === 'fulfilled') {
        const { position, messages } = result.value
        expect(rows[position - 1]).toMatchObject({ content: messages[0]!.content })
      } else {
        expect(result.reason).toMatchObject({
          code: expect.stringMatching(/^(STORE_CLOSED|OUTCOME_UNKNOWN)$/) as string,
        })
      }
    }
  })
})

/** A server on 127.0.0.1 that takes connections and says nothing. */
async function silentServer() {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  return {
    url: await listen(server),
    end: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A URL at whose port nobody listens. */
async function urlOfNobody(): Promise<string> {
  const server = createServer()
  const url = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return url
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port.')
  return `postgres://user:password@127.0.0.1:${address.port}/database`
}
