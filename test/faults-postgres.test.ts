import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConversationStore } from '../src/index.ts'
import { createPostgres } from './support/databases.ts'
import {
  begin,
  expectedOf,
  expectTruth,
  METHODS,
  outcomeOf,
  storedIn,
  type Method,
} from './support/faults/methods.ts'
import { AFTER_SENDING, CUTS, WITHIN_ANSWER } from './support/faults/places.ts'
import { createTarget, openOnHost, openOwn, type Target } from './support/faults/postgres.ts'
import { startProxy, type Injection, type PostgresProxy } from './support/faults/proxy.ts'
import { Tally } from './support/faults/tally.ts'
import { runSql, turnOf } from './support/inspect.ts'

let database: Target
const tally = new Tally('postgres, cut connections')

beforeAll(async () => void (database = await createTarget()))
afterAll(async () => {
  await database.drop()
  tally.print()
})

const routes = [
  {
    route: 'a store of its own',
    open: openOwn,
    // Only an append can double something, so that it is cut in every way.
    cutsOf: ({ name }: Method) => (name.startsWith('append') ? CUTS : [AFTER_SENDING, WITHIN_ANSWER]),
  },
  { route: "a host's database", open: openOnHost, cutsOf: () => [WITHIN_ANSWER] },
]

/** What a single fault may make of a call: what may be repeated is, and succeeds. */
const ALLOWED = { read: /^ok$/, repeatable: /^ok$/, once: /^(ok|OUTCOME_UNKNOWN)$/ }

/** What a call is made through, and what will happen to it. */
interface Broken {
  readonly proxy: PostgresProxy
  readonly store: ConversationStore
  readonly fault: Injection
  /** Ends what was opened for this place only. */
  readonly end?: () => Promise<void>
}

/** Calls a method with the fault at each place in its turn, until it passes untouched; gives how many places there are. */
async function everyPlace(
  lane: string,
  method: Method,
  breakAt: (at: number) => Promise<Broken>,
): Promise<number> {
  const { direct } = database
  const expected = await expectedOf(database, direct, method, { userId: lane, conversationId: 'c' })
  for (let at = 1; ; at++) {
    const key = { userId: `${lane} ${at}`, conversationId: 'c' }
    await begin(direct, key)
    const value = method.effect === 'read' ? await method.call(direct, key) : undefined
    const { proxy, store, fault, end } = await breakAt(at)
    const outcome = await outcomeOf(method.call(store, key))
    await proxy.quiet()
    await proxy.heal()
    expect(outcome).toMatchObject({ code: expect.stringMatching(ALLOWED[method.effect]) as string })
    if (method.effect === 'read') expect(outcome.value).toEqual(value)
    else expectTruth(outcome, await storedIn(database, direct, key), expected)
    // The connection's place in the pool is as good as new: not even a call without a key is doubled in it.
    const next = { userId: `${lane} ${at} next`, conversationId: 'c' }
    expect(await store.conversation(next).append(turnOf('next'))).toMatchObject({ position: 1 })
    expect(await direct.conversation(next).listTurns()).toHaveLength(1)
    await end?.()
    if (fault.struck === 0) return at - 1
    tally.count(fault.struck, outcome)
  }
}

describe.each(routes)('a connection that is cut, on $route', ({ route, open, cutsOf }) => {
  describe.concurrent.each(METHODS)('leaves all or nothing of $name, and the call says which:', (method) => {
    it.each(cutsOf(method))('$effect each message of the $of', async ({ of, effect }) => {
      await using proxy = await startProxy(database.url)
      await using opened = await open(proxy.url)
      const { store } = opened
      const lane = `${route} ${method.name} ${of} ${effect}`.replaceAll("'", '')
      const places = await everyPlace(lane, method, async (at) => ({
        proxy,
        store,
        fault: proxy.inject({ of, effect, at }),
      }))
      // With a named statement: bind, execute and sync.
      expect(places).toBeGreaterThanOrEqual(3)
    })
  })
})

describe.concurrent.each([AFTER_SENDING, WITHIN_ANSWER])(
  'a connection that is cut while it is made: $effect each message of the $of',
  (cut) => {
    it.each(METHODS.slice(0, 2))('leaves all or nothing of $name', async (method) => {
      const places = await everyPlace(`new ${method.name} ${cut.of} ${cut.effect}`, method, async (at) => {
        const proxy = await startProxy(database.url)
        const opened = await openOwn(proxy.url)
        const end = async () => {
          await opened[Symbol.asyncDispose]()
          await proxy.close()
        }
        return { proxy, store: opened.store, fault: proxy.inject({ ...cut, at }), end }
      })
      // The two with which a connection begins, and the six of the statement.
      expect(places).toBeGreaterThanOrEqual(8)
    })
  },
)

describe('migrating over a connection that is cut', () => {
  it.concurrent.each([AFTER_SENDING, WITHIN_ANSWER])(
    'makes all tables: $effect each message of the $of',
    async (cut) => {
      const created = await createPostgres()
      for (let at = 1; ; at++) {
        await runSql({ name: 'postgres', ...created }, 'drop schema public cascade; create schema public')
        await using proxy = await startProxy(created.url)
        await using opened = await openOnHost(proxy.url)
        const { store } = opened
        const fault = proxy.inject({ ...cut, at })
        const outcome = await outcomeOf(store.migrate())
        await proxy.heal()
        expect(outcome.code).toBe('ok')
        const key = { userId: 'ada', conversationId: 'c' }
        expect(await store.conversation(key).append(turnOf('one'))).toMatchObject({ position: 1 })
        if (fault.struck === 0) {
          // It asks what there is, and then makes it.
          expect(at).toBeGreaterThan(2)
          break
        }
        tally.count(fault.struck, outcome)
      }
      await created.drop()
    },
  )
})
