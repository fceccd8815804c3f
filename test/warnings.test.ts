import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import Sqlite from 'better-sqlite3'
import type { SQL } from 'drizzle-orm'
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3'
import { drizzle as drizzlePostgres } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { openStore, type OpenStoreOptions, type StoreOptions, type StoreWarning } from '../src/index.ts'
import { postgresStore } from '../src/postgres.ts'
import { sqliteStore } from '../src/sqlite.ts'
import { createPostgres, type Created } from './support/databases.ts'
import { postgresHost } from './support/hosts.ts'
import { oneTo, turnOf } from './support/inspect.ts'
import { createRole, runAsAdmin, type Role } from './support/roles.ts'

const KEY = { userId: 'ada', conversationId: 'c' }
const SECRETS = /quetzalcoatl|postgres(ql)?:\/\//i
const TURN = turnOf('Quetzalcoatl')

/** What a store is told, in order. */
function listener() {
  const warnings: StoreWarning[] = []
  return { warnings, onWarning: (warning: StoreWarning) => void warnings.push(warning) }
}

const codesOf = (warnings: readonly StoreWarning[]) => warnings.map(({ code }) => code)

describe('a warning of a host on sqlite', () => {
  /** A host's file, with these pragmas set by the host, and a migrated store on it. */
  async function host(pragmas: readonly string[], options?: StoreOptions, path?: string) {
    const folder = mkdtempSync(join(tmpdir(), 'backscroll-warnings-'))
    const client = new Sqlite(path ?? join(folder, 'host.db'))
    onTestFinished(() => {
      client.close()
      rmSync(folder, { recursive: true, force: true })
    })
    for (const pragma of pragmas) client.pragma(pragma)
    const db = drizzleSqlite({ client })
    const store = sqliteStore(db, options)
    await store.migrate()
    return { db, store }
  }

  it.each([
    [['journal_mode = wal']],
    [['synchronous = normal']],
    [['synchronous = off']],
    [['journal_mode = wal', 'synchronous = normal']],
  ])('is that a power loss can lose turns, where it has set %j', async (pragmas) => {
    const { warnings, onWarning } = listener()
    const { store } = await host(pragmas, { onWarning })
    expect(warnings).toEqual([])
    await store.conversation(KEY).append(TURN)
    expect(codesOf(warnings)).toEqual(['WEAK_DURABILITY'])
    expect(warnings[0]!.message).toMatch(/synchronous = full/)
  })

  it('is told to who switches a file to the write-ahead log that had another before', async () => {
    const { warnings, onWarning } = listener()
    const { db } = await host([])
    const { $client: client } = db
    client.pragma('journal_mode = wal')
    await sqliteStore(db, { onWarning }).examine()
    expect(codesOf(warnings)).toEqual(['WEAK_DURABILITY'])
    expect(client.pragma('synchronous', { simple: true })).toBe(1)
  })

  it.each([
    [['synchronous = full'], undefined],
    [['journal_mode = wal', 'synchronous = full'], undefined],
    [['journal_mode = wal', 'synchronous = extra'], undefined],
    [['synchronous = off'], ':memory:'],
    [['synchronous = off'], ''],
  ])('is not given where nothing is lost that was promised: %j, %j', async (pragmas, path) => {
    const { warnings, onWarning } = listener()
    const { store } = await host(pragmas, { onWarning }, path)
    await store.conversation(KEY).append(TURN)
    expect(warnings).toEqual([])
  })

  it('is told once, before the first call, however many come at once', async () => {
    const calls: string[] = []
    const { store } = await host(['synchronous = off'], { onWarning: ({ code }) => void calls.push(code) })
    const append = async (index: number) => {
      await store.conversation(KEY).append(turnOf(`turn ${index}`))
      calls.push('appended')
    }
    await Promise.all(oneTo(8).map(append))
    await store.listConversations('ada')
    await store.examine()
    expect(calls).toEqual(['WEAK_DURABILITY', ...oneTo(8).map(() => 'appended')])
  })

  it.each(['appendSync', 'loadWindowSync'] as const)(
    'is told once by %s too, in a transaction or not',
    async (method) => {
      const { warnings, onWarning } = listener()
      const { db, store } = await host(['synchronous = off'], { onWarning })
      const call = (on: typeof store) => {
        const conversation = on.conversation(KEY)
        return method === 'appendSync'
          ? conversation.appendSync(TURN)
          : conversation.loadWindowSync({ maxTokens: 9 })
      }
      db.transaction((tx) => {
        call(store.withTransaction(tx))
        call(store.withTransaction(tx))
      })
      db.transaction((tx) => void call(store.withTransaction(tx)))
      call(store)
      await store.listConversations('ada')
      expect(codesOf(warnings)).toEqual(['WEAK_DURABILITY'])
    },
  )

  it('that throws is what the call throws, and nothing is written', async () => {
    class Refused extends Error {}
    const onWarning = () => {
      throw new Refused()
    }
    const { store } = await host(['synchronous = off'], { onWarning })
    await expect(store.conversation(KEY).append(TURN)).rejects.toThrow(Refused)
    expect(await store.conversation(KEY).listTurns()).toEqual([])
    const sync = await host(['synchronous = off'], { onWarning })
    expect(() => sync.store.conversation(KEY).appendSync(TURN)).toThrow(Refused)
    expect(sync.store.conversation(KEY).loadWindowSync({ maxTokens: 9 }).turns).toEqual([])
  })

  it('is not given of a file that backscroll opens itself', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'backscroll-warnings-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    for (const url of [`sqlite:${join(folder, 'own.db')}`, 'sqlite::memory:']) {
      const { warnings, onWarning } = listener()
      await using store = await openStore(url, { onWarning })
      await store.conversation(KEY).append(TURN)
      expect(warnings).toEqual([])
    }
  })
})

describe('a warning on postgres', () => {
  let created: Created
  let role: Role
  beforeAll(async () => {
    created = await createPostgres()
    role = await createRole()
    await using store = await openStore(created.url, { onWarning: () => {} })
    await store.migrate()
    await runAsAdmin(`grant all on all tables in schema public to ${role.name}`, created.url)
  })
  afterAll(async () => {
    await created.drop()
    await role.drop()
  })

  const set = async (what: string) => {
    await runAsAdmin(`alter ${what} set synchronous_commit = off`, created.url)
    onTestFinished(() => runAsAdmin(`alter ${what} reset synchronous_commit`, created.url))
  }
  const databaseName = () => new URL(created.url).pathname.slice(1)

  it.each(['role', 'database'])(
    'is that a crash loses turns, where synchronous_commit is off for the %s',
    async (what) => {
      await set(what === 'role' ? `role ${role.name}` : `database ${databaseName()}`)
      const { warnings, onWarning } = listener()
      await using store = await openStore(role.urlOf(created.url), { onWarning })
      // When it is opened, not at the first turn.
      expect(codesOf(warnings)).toEqual(['WEAK_DURABILITY'])
      await Promise.all(
        oneTo(8).map((index) => store.conversation(KEY).append(turnOf(`Quetzalcoatl ${index}`))),
      )
      await store.examine()
      expect(warnings).toHaveLength(1)
      expect(warnings[0]!.message).toMatch(/synchronous_commit/)
      for (const secret of [SECRETS, role.password, role.name, databaseName()]) {
        expect(JSON.stringify(warnings)).not.toMatch(secret)
      }
    },
  )

  it('is not given where commits are waited for, also if not on every replica', async () => {
    for (const value of ['on', 'local', 'remote_apply']) {
      await runAsAdmin(`alter role ${role.name} set synchronous_commit = ${value}`, created.url)
      const { warnings, onWarning } = listener()
      await using store = await openStore(role.urlOf(created.url), { onWarning })
      await store.conversation(KEY).append(TURN)
      expect(warnings).toEqual([])
    }
    await runAsAdmin(`alter role ${role.name} reset all`, created.url)
  })

  it('is looked for with a driver that gives its rows within an object, as others than postgres.js do', async () => {
    await using host = await postgresHost()
    const execute = host.db.execute.bind(host.db)
    host.db.execute = (async (query: SQL) => ({ rows: [...(await execute(query))] })) as never
    await runAsAdmin(`alter database ${new URL(host.url).pathname.slice(1)} set synchronous_commit = off`)
    const { warnings, onWarning } = listener()
    await postgresStore(host.db, { onWarning }).examine()
    expect(codesOf(warnings)).toEqual(['WEAK_DURABILITY'])
  })

  it('is not given of named statements without a pooler', async () => {
    const { warnings, onWarning } = listener()
    await using store = await openStore(created.url, { onWarning, preparedStatements: true })
    await store.conversation(KEY).append(TURN)
    expect(warnings).toEqual([])
  })

  it("is told once to a host's store and all that it makes inside transactions", async () => {
    const client = postgres(created.url, { connection: { synchronous_commit: 'off' } as never, max: 4 })
    onTestFinished(() => client.end({ timeout: 1 }))
    const db = drizzlePostgres({ client })
    const { warnings, onWarning } = listener()
    const store = postgresStore(db, { onWarning })
    expect(warnings).toEqual([])
    await Promise.all([
      ...oneTo(4).map((index) =>
        db.transaction((tx) =>
          store
            .withTransaction(tx)
            .conversation({ ...KEY, conversationId: `c${index}` })
            .append(TURN),
        ),
      ),
      ...oneTo(4).map(() => store.conversation(KEY).listTurns()),
    ])
    await db.transaction((tx) => store.withTransaction(tx).conversation(KEY).append(TURN))
    await store.listConversations('ada')
    expect(codesOf(warnings)).toEqual(['WEAK_DURABILITY'])
  })

  it('that throws makes opening fail, and closes what was opened', async () => {
    await set(`role ${role.name}`)
    class Refused extends Error {}
    const opened = openStore(role.urlOf(created.url), {
      onWarning: () => {
        throw new Refused()
      },
    })
    await expect(opened).rejects.toThrow(Refused)
    const connections = `select count(*)::int as count from pg_stat_activity where usename = '${role.name}'`
    const admin = postgres(created.url, { max: 1 })
    onTestFinished(() => admin.end())
    // The server takes a moment to see that a client is gone.
    await expect.poll(() => admin.unsafe(connections)).toEqual([{ count: 0 }])
  })

  it('goes to process.emitWarning where nobody listens, once, with its code', async () => {
    await set(`role ${role.name}`)
    const index = pathToFileURL(join(import.meta.dirname, '../src/index.ts')).href
    const program = `
      import { openStore } from '${index}'
      process.on('warning', ({ name, code, message }) => console.log(JSON.stringify({ name, code, message })))
      const store = await openStore(process.env.URL)
      const conversation = store.conversation({ userId: 'ada', conversationId: 'default' })
      await Promise.all([1, 2, 3].map(() => conversation.append([{ role: 'user', content: 'Quetzalcoatl' }])))
      await store.close()`
    const args = ['--import', 'tsx', '--input-type=module', '--eval', program]
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, {
      env: { ...process.env, URL: role.urlOf(created.url), NODE_OPTIONS: '' },
    })
    const printed = stdout.trim().split('\n')
    expect(printed.map((line) => JSON.parse(line) as object)).toEqual([
      {
        name: 'BackscrollWarning',
        code: 'BACKSCROLL_WEAK_DURABILITY',
        message: expect.stringContaining('synchronous_commit') as string,
      },
    ])
    expect(stderr).toContain('[BACKSCROLL_WEAK_DURABILITY] BackscrollWarning:')
    for (const secret of [SECRETS, role.password]) expect(stdout + stderr).not.toMatch(secret)
  })
})

it.each([null, 'warn', {}, 5])('onWarning is a function, and not %o', async (onWarning) => {
  const options = { onWarning: onWarning as never } satisfies OpenStoreOptions
  const invalid = expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as Error
  await expect(openStore('sqlite::memory:', options)).rejects.toEqual(invalid)
  const client = new Sqlite(':memory:')
  expect(() => sqliteStore(drizzleSqlite({ client }), options)).toThrow(invalid)
  client.close()
})
