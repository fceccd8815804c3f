import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Conversation, StoredTurn } from '../src/index.ts'
import { onEachDatabase } from './support/databases.ts'
import { gate, postgresHost, untilWaiting, type PostgresHost } from './support/hosts.ts'
import { expectConsistent, oneTo, runSql, turnOf } from './support/inspect.ts'
import { start, startTogether, type Program } from './support/processes/start.ts'
import type { WriterOptions } from './support/processes/writer.ts'

const CALLERS = 32
/** Enough connections that all callers reach the database at once, and not the pool's queue. */
const POOL = { maxConnections: CALLERS, deadlineMs: 60_000 }

/** What a writer prints for each turn that was acknowledged. */
interface Acknowledged {
  readonly content: string
  readonly position: number
  readonly replayed: boolean
}

/** Runs `call` from all callers at once. */
function fromAllCallers<T>(call: (caller: number) => Promise<T>): Promise<T[]> {
  return Promise.all(oneTo(CALLERS).map(call))
}

/**
 * Loads again and again until `done`. Every load must be a prefix of what is being written: positions from 1 without
 * a gap, running totals that are sums, and never less than the load before.
 */
async function expectOnlyPrefixes(conversation: Conversation, done: Promise<unknown>): Promise<number> {
  const state = { writing: true }
  let seen = 0
  let loads = 0
  const ended = done.finally(() => (state.writing = false))
  while (state.writing) {
    const { turns, omittedTurns } = await conversation.loadWindow({ maxTokens: 10_000_000 })
    expect(turns.map(({ position }) => position)).toEqual(oneTo(turns.length))
    let total = 0
    for (const turn of turns) expect(turn.cumulativeTokens).toBe((total += turn.tokenCount))
    expect(omittedTurns).toBe(0)
    expect(turns.length).toBeGreaterThanOrEqual(seen)
    seen = turns.length
    loads++
    await setImmediate()
  }
  await ended
  return loads
}

async function acknowledgedBy(programs: readonly Program[]): Promise<Acknowledged[]> {
  const printed = await Promise.all(programs.map((program) => program.rest()))
  for (const program of programs) expect(await program.ended()).toBe(0)
  return printed.flat() as Acknowledged[]
}

onEachDatabase('writers of one conversation', (database) => {
  it('get the positions 1 to n, while readers only ever see a prefix', async () => {
    const key = { userId: 'ada', conversationId: 'callers' }
    const store = await database.open(POOL)
    const conversation = store.conversation(key)
    const writing = fromAllCallers(async (caller) => {
      const stored: StoredTurn[] = []
      for (const turn of oneTo(8)) stored.push(await conversation.append(turnOf(`${caller} `.repeat(turn))))
      return stored
    })
    expect(await expectOnlyPrefixes(conversation, writing)).toBeGreaterThan(1)
    const stored = (await writing).flat()
    const rows = await expectConsistent(database, key)
    expect(rows.map(({ position }) => position)).toEqual(oneTo(CALLERS * 8))
    // Each caller was told the place of its own turn.
    for (const { position, messages } of stored) {
      expect(rows[position - 1]).toMatchObject({ content: messages[0]!.content })
    }
  })

  it('may sit in several processes', async () => {
    const key = { userId: 'ada', conversationId: 'processes' }
    const conversation = (await database.open(POOL)).conversation(key)
    const programs = await startTogether(
      'writer',
      oneTo(4).map((process): WriterOptions => {
        return { ...key, url: database.url, text: `process ${process}`, turns: 40, callers: 8 }
      }),
    )
    const writing = acknowledgedBy(programs)
    expect(await expectOnlyPrefixes(conversation, writing)).toBeGreaterThan(1)
    const acknowledged = await writing
    const rows = await expectConsistent(database, key)
    expect(rows.map(({ position }) => position)).toEqual(oneTo(160))
    expect(acknowledged).toHaveLength(160)
    for (const { position, content } of acknowledged) expect(rows[position - 1]).toMatchObject({ content })
  })

  it('do not lose what was acknowledged when they are killed', async () => {
    const key = { userId: 'ada', conversationId: 'killed' }
    const options: WriterOptions = {
      ...key,
      url: database.url,
      text: 'turn',
      turns: 100_000,
      callers: 4,
      key: 'each',
    }
    const [writer] = (await startTogether('writer', [options])) as [Program]
    const acknowledged: Acknowledged[] = []
    while (acknowledged.length < 60) acknowledged.push((await writer.next()) as Acknowledged)
    writer.process.kill('SIGKILL')
    acknowledged.push(...((await writer.rest()) as Acknowledged[]))
    expect(await writer.ended()).toBe('SIGKILL')

    const rows = await expectConsistent(database, key)
    expect(rows.map(({ position }) => position)).toEqual(oneTo(rows.length))
    for (const { position, content } of acknowledged) expect(rows[position - 1]).toMatchObject({ content })

    // Whoever starts over with the same keys adds only what was missing.
    const again = start('writer', { ...options, turns: rows.length + 10 })
    await again.next()
    again.go()
    const repeated = await acknowledgedBy([again])
    const all = await expectConsistent(database, key)
    expect(all.map(({ content }) => content).toSorted()).toEqual(
      oneTo(rows.length + 10)
        .map((turn) => `turn ${turn}`)
        .toSorted(),
    )
    expect(repeated).toHaveLength(all.length)
    for (const { position, content } of acknowledged) {
      expect(repeated).toContainEqual({ position, content, replayed: true })
    }
  })
})

onEachDatabase('callers with one idempotency key', (database) => {
  it('store one turn, and all get it', async () => {
    const key = { userId: 'ada', conversationId: 'same' }
    const conversation = (await database.open(POOL)).conversation(key)
    const stored = await fromAllCallers(() =>
      conversation.append(turnOf('same'), { idempotencyKey: 'k', metadata: { a: 1 } }),
    )
    const first = stored.find(({ replayed }) => !replayed)
    expect(first).toMatchObject({ position: 1, messages: turnOf('same') })
    expect(stored.filter(({ replayed }) => !replayed)).toHaveLength(1)
    for (const turn of stored) expect(turn).toEqual({ ...first, replayed: turn.replayed })
    expect(await expectConsistent(database, key)).toHaveLength(1)
    // No position was handed out in vain.
    expect(await conversation.append(turnOf('next'))).toMatchObject({ position: 2 })
  })

  it('store one turn from several processes', async () => {
    const key = { userId: 'ada', conversationId: 'same-processes' }
    await database.open()
    const options: WriterOptions = {
      ...key,
      url: database.url,
      text: 'same',
      turns: 8,
      callers: 8,
      key: 'text',
    }
    const acknowledged = await acknowledgedBy(
      await startTogether('writer', [options, options, options, options]),
    )
    expect(acknowledged).toHaveLength(32)
    expect(acknowledged.filter(({ replayed }) => !replayed)).toHaveLength(1)
    for (const { position } of acknowledged) expect(position).toBe(1)
    expect(await expectConsistent(database, key)).toHaveLength(1)
  })

  it('but other messages: one is stored, and the others are told so', async () => {
    const key = { userId: 'ada', conversationId: 'other' }
    const conversation = (await database.open(POOL)).conversation(key)
    const results = await Promise.allSettled(
      oneTo(CALLERS).map((caller) =>
        conversation.append(turnOf(`caller ${caller}`), { idempotencyKey: 'k' }),
      ),
    )
    const stored = results.filter((result) => result.status === 'fulfilled')
    const refused = results.filter((result) => result.status === 'rejected')
    expect(stored).toHaveLength(1)
    expect(refused).toHaveLength(CALLERS - 1)
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' })
    const rows = await expectConsistent(database, key)
    expect(rows.map(({ content }) => content)).toEqual([stored[0]!.value.messages[0]!.content])
  })

  it('each of several keys at once is stored once', async () => {
    const key = { userId: 'ada', conversationId: 'several' }
    const conversation = (await database.open(POOL)).conversation(key)
    const stored = await fromAllCallers((caller) =>
      conversation.append(turnOf(`turn ${caller % 8}`), { idempotencyKey: `key ${caller % 8}` }),
    )
    expect(stored.filter(({ replayed }) => !replayed)).toHaveLength(8)
    const rows = await expectConsistent(database, key)
    expect(rows.map(({ position }) => position)).toEqual(oneTo(8))
    expect(new Set(rows.map(({ content }) => content)).size).toBe(8)
  })
})

onEachDatabase('dropping turns while others append', (database) => {
  it('rewind keeps totals right, and never a position twice', async () => {
    const key = { userId: 'ada', conversationId: 'rewound' }
    const store = await database.open(POOL)
    const conversation = store.conversation(key)
    const positions: number[] = []
    let dropped = 0
    const appending = fromAllCallers(async () => {
      for (const turn of oneTo(6)) {
        positions.push((await conversation.append(turnOf('w '.repeat(turn)))).position)
      }
    })
    const rewinding = Promise.all(
      oneTo(4).map(async (caller) => {
        for (const round of oneTo(8)) {
          const to = Math.max(0, positions.length - round * caller)
          const { turns } = await conversation.rewind({ to })
          dropped += turns
          await expectConsistent(database, key)
        }
      }),
    )
    await Promise.all([appending, rewinding])
    expect(positions.toSorted((one, other) => one - other)).toEqual(oneTo(CALLERS * 6))
    const rows = await expectConsistent(database, key)
    // Every turn was either dropped by one rewind, which told so, or it is still there.
    expect(rows.length + dropped).toBe(CALLERS * 6)
  })

  it('forgetUser leaves no turn behind, and counts each one that it erased', async () => {
    const key = { userId: 'erased', conversationId: 'c' }
    const store = await database.open(POOL)
    const conversation = store.conversation(key)
    let erased = 0
    const appending = fromAllCallers(async () => {
      for (const turn of oneTo(6)) await conversation.append(turnOf(`turn ${turn}`))
    })
    const erasing = (async () => {
      for (const _ of oneTo(12)) {
        const { turns } = await store.forgetUser('erased')
        erased += turns
        await expectConsistent(database, key)
      }
    })()
    await Promise.all([appending, erasing])
    expect((await expectConsistent(database, key)).length + erased).toBe(CALLERS * 6)
    await store.forgetUser('erased')
    expect(await runSql(database, `select * from backscroll_turns where user_id = 'erased'`)).toEqual([])
  })
})

describe('on Postgres, a call that waits for others', () => {
  const key = { userId: 'ada', conversationId: 'c' }

  /** Runs `change` in a transaction that is not committed before `call` stands waiting for it. */
  async function whileWaiting<T>(
    host: PostgresHost,
    change: (tx: Parameters<Parameters<PostgresHost['db']['transaction']>[0]>[0]) => Promise<unknown>,
    call: () => Promise<T>,
  ): Promise<PromiseSettledResult<T>> {
    const changed = gate()
    const release = gate()
    const changing = host.db.transaction(async (tx) => {
      await change(tx)
      changed.open()
      await release.opened
    })
    await changed.opened
    const called = Promise.allSettled([call()])
    await untilWaiting(host)
    release.open()
    await changing
    return (await called)[0]
  }

  it('rewind drops the turn that was appended while it waited', async () => {
    await using host = await postgresHost()
    await host.store.migrate()
    const conversation = host.store.conversation(key)
    for (const text of ['one', 'two']) await conversation.append(turnOf(text))
    const result = await whileWaiting(
      host,
      (tx) => host.store.withTransaction(tx).conversation(key).append(turnOf('three')),
      () => conversation.rewind({ to: 1 }),
    )
    expect(result).toEqual({ status: 'fulfilled', value: { turns: 2 } })
    expect((await expectConsistent(host, key)).map(({ position }) => position)).toEqual([1])
  })

  it('append goes on from the totals that a rewind left while it waited', async () => {
    await using host = await postgresHost()
    await host.store.migrate()
    const conversation = host.store.conversation(key)
    for (const text of ['one', 'two', 'three']) await conversation.append(turnOf(text))
    const result = await whileWaiting(
      host,
      (tx) => host.store.withTransaction(tx).conversation(key).rewind({ to: 1 }),
      () => conversation.append(turnOf('four')),
    )
    expect(result).toMatchObject({ status: 'fulfilled', value: { position: 4 } })
    expect((await expectConsistent(host, key)).map(({ position }) => position)).toEqual([1, 4])
  })

  it('append is stopped when the position it expects is gone with the whole conversation', async () => {
    await using host = await postgresHost()
    await host.store.migrate()
    const conversation = host.store.conversation(key)
    for (const text of ['one', 'two']) await conversation.append(turnOf(text))
    const result = await whileWaiting(
      host,
      (tx) => host.store.withTransaction(tx).forgetUser('ada'),
      () => conversation.append(turnOf('three'), { expectedPosition: 2 }),
    )
    expect(result).toMatchObject({
      status: 'rejected',
      reason: { code: 'POSITION_CONFLICT', expectedPosition: 2, actualPosition: 0 },
    })
    expect(await expectConsistent(host, key)).toEqual([])
  })

  it('append begins anew when the conversation was forgotten while it waited', async () => {
    await using host = await postgresHost()
    await host.store.migrate()
    const conversation = host.store.conversation(key)
    for (const text of ['one', 'two']) await conversation.append(turnOf(text))
    const result = await whileWaiting(
      host,
      (tx) => host.store.withTransaction(tx).forgetUser('ada'),
      () => conversation.append(turnOf('three')),
    )
    expect(result).toMatchObject({ status: 'fulfilled', value: { position: 1 } })
    expect(await expectConsistent(host, key)).toHaveLength(1)
  })

  it('forgetUser erases the turn that was appended while it waited', async () => {
    await using host = await postgresHost()
    await host.store.migrate()
    const conversation = host.store.conversation(key)
    await conversation.append(turnOf('one'))
    const result = await whileWaiting(
      host,
      (tx) => host.store.withTransaction(tx).conversation(key).append(turnOf('two')),
      () => host.store.forgetUser('ada'),
    )
    expect(result).toEqual({ status: 'fulfilled', value: { conversations: 1, turns: 2 } })
    expect(await expectConsistent(host, key)).toEqual([])
  })

  it('the second of two appends with one new key gets the turn of the first', async () => {
    await using host = await postgresHost()
    await host.store.migrate()
    const conversation = host.store.conversation(key)
    const result = await whileWaiting(
      host,
      (tx) => host.store.withTransaction(tx).conversation(key).append(turnOf('one'), { idempotencyKey: 'k' }),
      () => conversation.append(turnOf('one'), { idempotencyKey: 'k' }),
    )
    expect(result).toMatchObject({ status: 'fulfilled', value: { position: 1, replayed: true } })
    expect(await expectConsistent(host, key)).toHaveLength(1)
  })

  it('the second of two appends that expect one position is stopped', async () => {
    await using host = await postgresHost()
    await host.store.migrate()
    const conversation = host.store.conversation(key)
    const result = await whileWaiting(
      host,
      (tx) => host.store.withTransaction(tx).conversation(key).append(turnOf('one'), { expectedPosition: 0 }),
      () => conversation.append(turnOf('two'), { expectedPosition: 0 }),
    )
    expect(result).toMatchObject({
      status: 'rejected',
      reason: { code: 'POSITION_CONFLICT', actualPosition: 1 },
    })
    expect(await expectConsistent(host, key)).toHaveLength(1)
  })
})
