import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CHECKS, checkStore, ConformanceError, type Check } from '../src/conformance.ts'
import { openStore, type ConversationStore } from '../src/index.ts'
import { FAULTS } from './support/broken-stores.ts'
import { onEachDatabase } from './support/databases.ts'
import { postgresHost, sqliteHost } from './support/hosts.ts'
import { runSql, turnOf } from './support/inspect.ts'

/** What the random input of every run here comes from. */
const SEED = 20_261_122

onEachDatabase('a store', (database) => {
  let store: ConversationStore
  let before: Awaited<ReturnType<typeof everything>>
  beforeAll(async () => {
    store = await database.open()
    const conversation = store.conversation({ userId: 'ada', conversationId: 'c' })
    await conversation.append(turnOf('hi'), { idempotencyKey: 'key' })
    before = await everything()
  })

  for (const { name, run } of CHECKS) it(`promises: ${name}`, () => run(store, { seed: SEED }))

  it('is left as it was found, also by checks that failed', async () => {
    for (const [check, faults] of FAULTS) {
      const [breakStore] = Object.values(faults)
      await failureOf(check, breakStore!(store))
    }
    expect(before.turns).toHaveLength(1)
    expect(await everything()).toEqual(before)
  })

  async function everything() {
    return {
      conversations: await runSql(database, 'select * from backscroll_conversations'),
      turns: await runSql(database, 'select * from backscroll_turns'),
    }
  }
})

describe("a store on a host's own database", () => {
  it('keeps its promises on sqlite', async () => {
    await using host = sqliteHost()
    await host.store.migrate()
    await checkStore(host.store, { seed: SEED })
  })

  it('keeps its promises on postgres', async () => {
    await using host = await postgresHost()
    await host.store.migrate()
    await checkStore(host.store, { seed: SEED })
  })
})

describe('a store that', () => {
  let real: ConversationStore
  beforeAll(async () => void (real = await openStore('sqlite::memory:')))
  afterAll(() => real.close())

  for (const [check, faults] of FAULTS)
    it.each(Object.entries(faults))('%s is found out', async (_, breakStore) => {
      const error = await failureOf(check, breakStore(real))
      expect(error).toMatchObject({ code: 'CONFORMANCE', failed: [check.name], seed: SEED })
      expect(error.message.startsWith(`${check.name}: `), error.message).toBe(true)
      expect(error.message.endsWith(` (seed ${SEED})`), error.message).toBe(true)
      expect(error.message).not.toContain('a call failed')
    })

  it('breaks any of the promises is found out: there is one for each', () => {
    expect(FAULTS.map(([check]) => check)).toEqual(CHECKS)
  })

  it('gives what is somebody else’s is found out, and the error does not tell it', async () => {
    const secret = real.conversation({ userId: 'ada', conversationId: 'c' })
    await secret.append(turnOf('canary'), { metadata: { canary: 'canary' } })
    const open = () => secret
    const leaky = new Proxy(real, {
      get: (target, name) => (name === 'conversation' ? open : Reflect.get(target, name).bind(target)),
    })
    const error = await checkStore(leaky, { seed: SEED }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'CONFORMANCE' })
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain('canary')
  })
})

describe('a failure', () => {
  it('is told with the place, and the same again under its seed', async () => {
    const store = await openStore('sqlite::memory:')
    const [[check, faults]] = FAULTS as [(typeof FAULTS)[number]]
    const broken = faults['holds one token more than the limit']!(store)
    const first = await check.run(broken).catch((error: unknown) => error as ConformanceError)
    expect(first).toMatchObject({ name: 'ConformanceError', code: 'CONFORMANCE' })
    const { message, seed } = first as ConformanceError
    expect(message).toMatch(
      /: the window of \d turns under limit \d+\.turns: \d entries, not \d \(seed \d+\)$/,
    )
    await expect(check.run(broken, { seed })).rejects.toMatchObject({ message })
    await expect(check.run(broken, { seed: seed - 1 })).rejects.not.toMatchObject({ message })
    await store.close()
  })

  it('of one check does not keep the others from being run', async () => {
    const store = await openStore('sqlite::memory:')
    const [pages, counts] = FAULTS.slice(-2) as [(typeof FAULTS)[number], (typeof FAULTS)[number]]
    const broken = [pages, counts].reduce((real, [, faults]) => Object.values(faults)[0]!(real), store)
    const error = await checkStore(broken, { seed: SEED }).catch((reason: unknown) => reason)
    const { message, failed } = error as ConformanceError
    expect(failed).toEqual([pages[0].name, counts[0].name])
    const [first, ...reasons] = message.split('\n')
    expect(first).toBe(`2 of ${CHECKS.length} promises are not kept:`)
    expect(reasons.map((reason) => reason.split(': ')[0])).toEqual(failed.map((name) => `- ${name}`))
    await store.close()
  })

  it('of the database itself is told by its code, and that users were left behind', async () => {
    const store = await openStore('sqlite::memory:')
    await store.close()
    const error = await failureOf(CHECKS[3]!, store)
    expect(error.message).toMatch(
      /: a call failed with STORE_CLOSED; forgetUser failed with STORE_CLOSED, so that users whose ids begin with backscroll-conformance-[-0-9a-f]{37} may be left behind \(seed \d+\)$/,
    )
  })
})

async function failureOf(check: Check, store: ConversationStore): Promise<ConformanceError> {
  const error = await check.run(store, { seed: SEED }).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error, check.name).toBeInstanceOf(ConformanceError)
  return error as ConformanceError
}
