import { drizzle } from 'drizzle-orm/postgres-js'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest'
import { openStore, type ConversationStore, type OpenStoreOptions, type StoreWarning } from '../src/index.ts'
import { postgresStore } from '../src/postgres.ts'
import { createPostgres, type Created } from './support/databases.ts'
import { begin, expectedOf, METHODS, outcomeOf, storedIn } from './support/faults/methods.ts'
import { gate } from './support/hosts.ts'
import { expectConsistent, oneTo, runSql, turnOf } from './support/inspect.ts'
import {
  describeBehindPgBouncer,
  startPgBouncer,
  type PgBouncer,
  type PgBouncerOptions,
} from './support/pgbouncer.ts'
import { createWalled, runAsAdmin, type WalledDatabase } from './support/roles.ts'

const CLIENTS = 8

describeBehindPgBouncer('behind PgBouncer with two connections to the server', () => {
  /** Its tables are there, and a store on it that does not go through PgBouncer. */
  let direct: Created & { readonly name: 'postgres'; readonly store: ConversationStore }
  let walled: WalledDatabase
  let users: PgBouncerOptions['users']

  beforeAll(async () => {
    const created = await createPostgres()
    direct = { ...created, name: 'postgres', store: await openStore(created.url) }
    walled = await createWalled()
    const { username, password } = new URL(inject('postgresUrl'))
    users = {
      [decodeURIComponent(username)]: decodeURIComponent(password),
      [walled.app.name]: walled.app.password,
    }
  })
  afterAll(async () => {
    await direct.store.close()
    await direct.drop()
    await walled.drop()
  })

  async function start(mode: PgBouncerOptions['mode'], settings?: PgBouncerOptions['settings']) {
    return startPgBouncer(direct.url, { mode, users, ...(settings && { settings }) })
  }

  /** A store of a test's own. */
  async function open(url: string, options?: OpenStoreOptions): Promise<ConversationStore> {
    const store = await openStore(url, options)
    onTestFinished(() => store.close())
    return store
  }

  /** A client of a test's own, with one connection unless it is told otherwise. */
  function clientOf(url: string, options?: postgres.Options<Record<string, never>>) {
    const client = postgres(url, {
      max: 1,
      fetch_types: false,
      onnotice: () => {},
      prepare: false,
      ...options,
    })
    onTestFinished(() => client.end({ timeout: 0.5 }))
    return client
  }

  /** Takes both connections to the server, does `work`, and gives them back. */
  async function holdingBoth(url: string, work: () => Promise<void>): Promise<void> {
    const release = gate()
    const holders = oneTo(2).map(() => {
      const held = gate()
      const transaction = clientOf(url).begin(async (tx) => {
        await tx`select 1`
        held.open()
        await release.opened
      })
      return { held: held.opened, transaction }
    })
    await Promise.all(holders.map(({ held }) => held))
    try {
      await work()
    } finally {
      release.open()
      await Promise.all(holders.map(({ transaction }) => transaction))
    }
  }

  describe('in transaction mode', () => {
    let pooler: PgBouncer
    let url: string
    let appUrl: string
    beforeAll(async () => {
      pooler = await start('transaction')
      url = pooler.urlOf(direct.url)
      appUrl = pooler.urlOf(walled.app.urlOf(walled.url))
    })
    afterAll(() => pooler.stop())

    it('every method does what it does without, called by eight clients at once', async () => {
      const stores = await Promise.all(oneTo(CLIENTS).map(() => open(url, { maxConnections: 1 })))
      const check = async (method: (typeof METHODS)[number], index: number) => {
        const key = { userId: `method ${index}`, conversationId: method.name }
        const { after } = await expectedOf(direct, direct.store, method, key)
        await direct.store.forgetUser(key.userId)
        const store = stores[index % CLIENTS]!
        await begin(store, key)
        await method.call(store, key)
        expect(await storedIn(direct, direct.store, key), method.name).toEqual(after)
      }
      await Promise.all(METHODS.map(check))
    })

    it.each([
      { what: 'eight stores', stores: CLIENTS, maxConnections: 1 },
      { what: 'one store with eight connections', stores: 1, maxConnections: CLIENTS },
    ])('appends of $what at once are each stored once, with keys and without', async (clients) => {
      const { what: userId, maxConnections } = clients
      const stores = await Promise.all(oneTo(clients.stores).map(() => open(url, { maxConnections })))
      const conversationOf = (index: number, conversationId: string) =>
        stores[index % stores.length]!.conversation({ userId, conversationId })
      // Every key twice.
      const keyed = oneTo(32).map((index) =>
        conversationOf(index, 'keyed').append(turnOf(`turn ${index % 16}`), {
          idempotencyKey: `k${index % 16}`,
        }),
      )
      const plain = oneTo(32).map((index) => conversationOf(index, 'plain').append(turnOf(`turn ${index}`)))
      await Promise.all([...keyed, ...plain])
      const replayed = (await Promise.all(keyed)).filter((turn) => turn.replayed)
      expect(replayed).toHaveLength(16)
      for (const [conversationId, turns] of [
        ['keyed', 16],
        ['plain', 32],
      ] as const) {
        const rows = await expectConsistent(direct, { userId, conversationId })
        expect(rows.map(({ position }) => position)).toEqual(oneTo(turns))
        expect(new Set(rows.map(({ content }) => content)).size).toBe(turns)
      }
    })

    it('eight clients may migrate an empty database at once', async () => {
      const created = await createPostgres()
      onTestFinished(() => created.drop())
      const stores = await Promise.all(
        oneTo(CLIENTS).map(() => openStore(pooler.urlOf(created.url), { maxConnections: 1 })),
      )
      const key = { userId: 'ada', conversationId: 'c' }
      await Promise.all(stores.map((store) => store.conversation(key).append(turnOf('x'))))
      expect(await expectConsistent({ name: 'postgres', url: created.url }, key)).toHaveLength(CLIENTS)
      const applied = await runSql(
        { name: 'postgres', url: created.url },
        'select name from backscroll_migrations',
      )
      expect(applied).toHaveLength(2)
      await Promise.all(stores.map((store) => store.close()))
    })

    it("eight hosts' transactions commit a turn with their own row, or take both back", async () => {
      const notes = pgTable('notes', { id: integer().primaryKey(), note: text() })
      await runAsAdmin('create table notes (id integer primary key, note text)', direct.url)
      const key = { userId: 'hosts', conversationId: 'c' }
      class Undone extends Error {}
      const work = async (index: number) => {
        const db = drizzle({ client: clientOf(url) })
        const store = postgresStore(db)
        const transaction = db.transaction(async (tx) => {
          await tx.insert(notes).values({ id: index, note: 'x' })
          await store
            .withTransaction(tx)
            .conversation(key)
            .append(turnOf(`turn ${index}`))
          if (index % 2 === 0) throw new Undone()
        })
        if (index % 2 === 0) await expect(transaction).rejects.toThrow(Undone)
        else await transaction
      }
      await Promise.all(oneTo(CLIENTS).map(work))
      const rows = await expectConsistent(direct, key)
      expect(rows.map(({ content }) => content).toSorted()).toEqual(['turn 1', 'turn 3', 'turn 5', 'turn 7'])
      expect(await runSql(direct, 'select id from notes order by id')).toEqual(
        [1, 3, 5, 7].map((id) => ({ id })),
      )
    })

    it('row-level security names each user to their own statements alone', async () => {
      const stores = await Promise.all(
        oneTo(CLIENTS).map(() => open(appUrl, { rowLevelSecurity: true, maxConnections: 1 })),
      )
      const userOf = (index: number) => `user '${index}`
      const talk = async (round: number) =>
        Promise.all(
          oneTo(CLIENTS).map(async (index) => {
            // Each round another store, and so another connection, for the same user.
            const store = stores[(index + round) % CLIENTS]!
            const conversation = store.conversation({ userId: userOf(index), conversationId: 'c' })
            await conversation.append(turnOf(userOf(index)))
            const { turns } = await conversation.loadWindow({ maxTokens: 1000 })
            expect(turns.map(({ messages }) => messages[0]!.content)).toEqual(
              oneTo(round).map(() => userOf(index)),
            )
          }),
        )
      const looker = clientOf(appUrl)
      const looks: unknown[] = []
      for (const round of oneTo(6)) {
        const talked = talk(round)
        // Whichever connection it gets, in the midst of the others' statements.
        for (let look = 0; look < 8; look++) {
          const [row] = await looker`
            select coalesce(current_setting('backscroll.user_id', true), '') as named,
                   (select count(*)::int from backscroll_turns) as visible`
          looks.push(row)
        }
        await talked
      }
      expect(looks).toHaveLength(48)
      expect(new Set(looks.map((look) => JSON.stringify(look)))).toEqual(
        new Set(['{"named":"","visible":0}']),
      )

      const seen = new Set<number>()
      const lookers = oneTo(2).map(() => clientOf(appUrl))
      const both = gate()
      await Promise.all(
        lookers.map((client) =>
          client.begin(async (tx) => {
            const [row] = await tx`
              select pg_backend_pid() as pid, current_setting('backscroll.user_id', true) as named,
                     (select count(*)::int from backscroll_turns) as visible`
            expect(row).toMatchObject({ named: '', visible: 0 })
            seen.add(Number(row!['pid']))
            if (seen.size === 2) both.open()
            await both.opened
          }),
        ),
      )
      expect(seen.size).toBe(2)
    })

    it('what is acknowledged is there once, though PgBouncer is killed three times under load', async () => {
      const key = { userId: 'killed', conversationId: 'c' }
      const stores = await Promise.all(
        oneTo(CLIENTS).map(() => open(url, { maxConnections: 1, deadlineMs: 4000 })),
      )
      const codes: string[] = []
      let acknowledged = 0
      const stop = new AbortController()
      const talk = async (store: ConversationStore, client: number) => {
        for (let turn = 1; !stop.signal.aborted; turn++) {
          const append = () =>
            store
              .conversation(key)
              .append(turnOf(`${client} ${turn}`), { idempotencyKey: `${client} ${turn}` })
          for (;;) {
            const { code } = await withinDeadline(outcomeOf(append()))
            if (code === 'ok') break
            codes.push(code)
          }
          acknowledged++
        }
      }
      const talking = Promise.all(stores.map(talk))
      for (const kill of oneTo(3)) {
        const enough = acknowledged + 24
        await expect.poll(() => acknowledged, { timeout: 30_000 }).toBeGreaterThan(enough)
        await pooler.kill()
        if (kill === 2) {
          const late = await openStore(url, { migrate: false, deadlineMs: 500 })
          const { code } = await withinDeadline(outcomeOf(late.conversation(key).append(turnOf('never'))))
          expect(code).toBe('DATABASE_UNAVAILABLE')
          await late.close()
        }
        await pooler.startAgain()
      }
      const enough = acknowledged + 24
      await expect.poll(() => acknowledged, { timeout: 30_000 }).toBeGreaterThan(enough)
      stop.abort()
      await talking
      const rows = await expectConsistent(direct, key)
      expect(rows.map(({ position }) => position)).toEqual(oneTo(acknowledged))
      expect(new Set(rows.map((row) => row.key)).size).toBe(acknowledged)
      expect(codes.filter((code) => !/^(OUTCOME_UNKNOWN|DATABASE_UNAVAILABLE)$/.test(code))).toEqual([])
    })

    it('a warning says that named statements are in use, and only then', async () => {
      const warningsOf = async (run: (onWarning: (warning: StoreWarning) => void) => Promise<unknown>) => {
        const warnings: StoreWarning[] = []
        await run((warning) => void warnings.push(warning))
        for (const secret of [new URL(url).password, walled.app.password, 'postgres://']) {
          expect(JSON.stringify(warnings)).not.toContain(secret)
        }
        return warnings.map(({ code }) => code)
      }
      const host = (prepare: boolean, onWarning: (warning: StoreWarning) => void) =>
        postgresStore(drizzle({ client: clientOf(url, { prepare }) }), { onWarning })
      const named = { maxConnections: 1, preparedStatements: true }
      expect(await warningsOf((onWarning) => open(url, { onWarning, ...named }))).toEqual([
        'POOLED_STATEMENTS',
      ])
      expect(await warningsOf((onWarning) => open(url, { onWarning }))).toEqual([])
      expect(await warningsOf((onWarning) => host(true, onWarning).examine())).toEqual(['POOLED_STATEMENTS'])
      expect(await warningsOf((onWarning) => host(false, onWarning).examine())).toEqual([])
      // Its statements have no names, whatever it is told.
      const rowLevelSecurity = true
      expect(
        await warningsOf((onWarning) => open(appUrl, { onWarning, rowLevelSecurity, ...named })),
      ).toEqual([])
    })
  })

  it('a client that waited too long for a connection is told that its write is in doubt, and it is not there', async () => {
    const pooler = await start('transaction', { query_wait_timeout: 1 })
    onTestFinished(() => pooler.stop())
    const url = pooler.urlOf(direct.url)
    const store = await open(url, { deadlineMs: 8000 })
    const conversation = store.conversation({ userId: 'waiting', conversationId: 'c' })
    let keyed: Promise<unknown> | undefined
    await holdingBoth(url, async () => {
      const { code, cause } = await outcomeOf(conversation.append(turnOf('without a key')))
      // PgBouncer says 08P01 and ends the connection; postgres.js passes on the end only.
      expect(code).toBe('OUTCOME_UNKNOWN')
      // Which of the two depends on whether the socket's end or its reset comes first.
      expect(['CONNECTION_CLOSED', 'ECONNRESET']).toContain(cause)
      // Tried again until there is a connection.
      keyed = conversation.append(turnOf('with a key'), { idempotencyKey: 'k' })
      await outcomeOf(conversation.append(turnOf('without a key either')))
    })
    expect(await keyed).toMatchObject({ position: 1, replayed: false })
    const rows = await expectConsistent(direct, { userId: 'waiting', conversationId: 'c' })
    expect(rows.map(({ content }) => content)).toEqual(['with a key'])
  })

  it('connections to the server that PgBouncer replaces all the time lose and fail nothing', async () => {
    const pooler = await start('transaction', { server_lifetime: 0, server_idle_timeout: 1 })
    onTestFinished(() => pooler.stop())
    const store = await open(pooler.urlOf(direct.url), { maxConnections: CLIENTS })
    const key = { userId: 'replaced', conversationId: 'c' }
    const appended = await Promise.all(
      oneTo(48).map((index) => store.conversation(key).append(turnOf(`turn ${index}`))),
    )
    expect(appended.map(({ position }) => position).toSorted((one, other) => one - other)).toEqual(oneTo(48))
    expect(await expectConsistent(direct, key)).toHaveLength(48)
  })

  it('session mode serves as many clients as it has connections, with named statements too; one more waits in time', async () => {
    const pooler = await start('session')
    onTestFinished(() => pooler.stop())
    const url = pooler.urlOf(direct.url)
    const key = { userId: 'session', conversationId: 'c' }
    const store = await openStore(url, { maxConnections: 2, preparedStatements: true, onWarning: () => {} })
    await Promise.all(oneTo(32).map((index) => store.conversation(key).append(turnOf(`turn ${index}`))))
    await store.conversation(key).recount({ encoding: 'gpt2' })
    const late = await openStore(url, { migrate: false, deadlineMs: 1000 })
    const { code } = await withinDeadline(outcomeOf(late.conversation(key).listTurns()))
    expect(code).toBe('DATABASE_UNAVAILABLE')
    await store.close()
    await late.close()
    const next = await open(url)
    expect(await next.conversation({ ...key, encoding: 'gpt2' }).listTurns()).toHaveLength(32)
    expect(await expectConsistent(direct, key)).toHaveLength(32)
  })

  it("statement mode serves a store, row-level security too, and refuses a host's transaction whole", async () => {
    const pooler = await start('statement')
    onTestFinished(() => pooler.stop())
    const key = { userId: 'statement', conversationId: 'c' }
    const app = walled.app.urlOf(walled.url)
    for (const [url, options] of [
      [direct.url, {}],
      [app, { rowLevelSecurity: true }],
    ] as const) {
      const store = await open(pooler.urlOf(url), { maxConnections: CLIENTS, ...options })
      await Promise.all(oneTo(32).map((index) => store.conversation(key).append(turnOf(`turn ${index}`))))
      expect(await store.conversation(key).rewind({ to: 16 })).toEqual({ turns: 16 })
      expect(await store.conversation(key).recount({ encoding: 'gpt2' })).toEqual({ turns: 16 })
    }
    for (const database of [direct, walled]) expect(await expectConsistent(database, key)).toHaveLength(16)
    const db = drizzle({ client: clientOf(pooler.urlOf(direct.url)) })
    const host = postgresStore(db)
    const transaction = db.transaction((tx) =>
      host
        .withTransaction(tx)
        .conversation({ ...key, encoding: 'gpt2' })
        .append(turnOf('x')),
    )
    expect((await outcomeOf(transaction)).code).not.toBe('ok')
    expect(await expectConsistent(direct, key)).toHaveLength(16)
  })
})

/** Fails a test in which a call takes far longer than its deadline, whatever that is here. */
async function withinDeadline<T>(call: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('The call outlived its deadline by more than 5 s.')), 9000)
  })
  try {
    return await Promise.race([call, late])
  } finally {
    clearTimeout(timer)
  }
}
