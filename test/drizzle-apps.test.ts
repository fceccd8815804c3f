import { and, eq, sum } from 'drizzle-orm'
import { describe, expect, expectTypeOf, it } from 'vitest'
import * as ofPostgres from '../src/postgres.ts'
import * as ofSqlite from '../src/sqlite.ts'
import { postgresApp, tickets as postgresTickets } from './drizzle-apps/postgres-app.ts'
import { sqliteApp, tickets as sqliteTickets } from './drizzle-apps/sqlite-app.ts'
import { expectConsistent, turnOf } from './support/inspect.ts'

const KEY = { userId: 'ada', conversationId: 'c' }
const TICKET = { id: 1, subject: 'late', ...KEY }

/** What the app's own code throws to have its transaction, or a part of it, undone. */
class AppError extends Error {}

describe('an app with its own tables on sqlite', () => {
  const { conversations, turns } = ofSqlite.schema
  const tickets = sqliteTickets

  it('reaches from its rows to the conversation and its turns, and back, in relational queries', async () => {
    await using app = await sqliteApp()
    const stored = [
      await app.store.conversation(KEY).append(turnOf('one')),
      await app.store.conversation(KEY).append(turnOf('two')),
    ]
    app.db.insert(tickets).values(TICKET).run()

    const found = await app.db.query.tickets.findFirst({
      with: { conversation: { with: { turns: { orderBy: turns.position } } } },
    })
    expectTypeOf(found!.conversation.turns[0]!.tokenCount).toEqualTypeOf<number>()
    expectTypeOf(found!.conversation.createdAt).toEqualTypeOf<Date>()
    expect(found).toMatchObject({ subject: 'late', conversation: { turnCount: 2 } })
    expect(found!.conversation.turns.map(readAsStored)).toEqual(stored)

    const back = await app.db.query.turns.findMany({
      columns: { position: true },
      with: { conversation: { columns: { id: true }, with: { tickets: true } } },
    })
    expectTypeOf(back[0]!.conversation.tickets[0]!.subject).toEqualTypeOf<string>()
    expect(back.map(({ conversation }) => conversation.tickets[0]?.subject)).toEqual(['late', 'late'])
  })

  it('joins, sums and counts with its own rows', async () => {
    await using app = await sqliteApp()
    const { cumulativeTokens } = await app.store.conversation(KEY).append(turnOf('one'))
    await app.store.conversation({ ...KEY, conversationId: 'other' }).append(turnOf('two'))
    app.db.insert(tickets).values(TICKET).run()
    const rows = await app.db
      .select({ subject: tickets.subject, since: conversations.createdAt, tokens: sum(turns.tokenCount) })
      .from(tickets)
      .innerJoin(
        conversations,
        and(eq(conversations.userId, tickets.userId), eq(conversations.id, tickets.conversationId)),
      )
      .leftJoin(
        turns,
        and(eq(turns.userId, conversations.userId), eq(turns.conversationId, conversations.id)),
      )
      .groupBy(tickets.subject, conversations.createdAt)
    expectTypeOf(rows).toEqualTypeOf<{ subject: string; since: Date; tokens: string | null }[]>()
    expect(rows).toEqual([{ subject: 'late', since: expect.any(Date), tokens: String(cumulativeTokens) }])
    expect(await app.db.$count(turns, eq(turns.userId, 'ada'))).toBe(2)
    expect(await app.db.$count(conversations)).toBe(2)
  })

  it('has its own rows go with a user who is forgotten, where its foreign key says so', async () => {
    await using app = await sqliteApp()
    await app.store.conversation(KEY).append(turnOf('one'))
    app.db.insert(tickets).values(TICKET).run()
    expect(await app.store.forgetUser('ada')).toEqual({ conversations: 1, turns: 1 })
    expect(await app.db.$count(tickets)).toBe(0)
  })

  it('undoes a turn with its row in an inner transaction, and commits those of the outer one', async () => {
    await using app = await sqliteApp()
    app.db.transaction((outer) => {
      const conversation = app.store.withTransaction(outer).conversation(KEY)
      conversation.appendSync(turnOf('one'))
      const undone = () =>
        outer.transaction((inner) => {
          inner.insert(tickets).values(TICKET).run()
          app.store.withTransaction(inner).conversation(KEY).appendSync(turnOf('undone'))
          expect(conversation.loadWindowSync({ maxTokens: 1000 }).turns).toHaveLength(2)
          throw new AppError()
        })
      expect(undone).toThrow(AppError)
      outer.transaction((inner) => {
        inner
          .insert(tickets)
          .values({ ...TICKET, id: 2 })
          .run()
        app.store.withTransaction(inner).conversation(KEY).appendSync(turnOf('two'))
      })
      conversation.appendSync(turnOf('three'))
    })
    const rows = await expectConsistent(app, KEY)
    expect(rows.map(({ content }) => content)).toEqual(['one', 'two', 'three'])
    expect(rows.map(({ position }) => position)).toEqual([1, 2, 3])
    expect(app.db.select({ id: tickets.id }).from(tickets).all()).toEqual([{ id: 2 }])
  })

  it("commits or undoes both in a transaction of better-sqlite3's own", async () => {
    await using app = await sqliteApp()
    const conversation = app.store.conversation(KEY)
    const save = app.client.transaction((id: number, after: () => void) => {
      conversation.appendSync(turnOf(`${id}`))
      app.db
        .insert(tickets)
        .values({ ...TICKET, id })
        .run()
      after()
    })
    const fail = () => {
      throw new AppError()
    }
    expect(() => save(1, fail)).toThrow(AppError)
    save(2, () => {})
    expect((await expectConsistent(app, KEY)).map(({ content }) => content)).toEqual(['2'])
    expect(app.db.select({ id: tickets.id }).from(tickets).all()).toEqual([{ id: 2 }])
  })
})

describe('an app with its own tables on postgres', () => {
  const { conversations, turns } = ofPostgres.schema
  const tickets = postgresTickets

  it('reaches from its rows to the conversation and its turns, and back, in relational queries', async () => {
    await using app = await postgresApp()
    const stored = [
      await app.store.conversation(KEY).append(turnOf('one')),
      await app.store.conversation(KEY).append(turnOf('two')),
    ]
    await app.db.insert(tickets).values(TICKET)

    const found = await app.db.query.tickets.findFirst({
      with: { conversation: { with: { turns: { orderBy: turns.position } } } },
    })
    expectTypeOf(found!.conversation.turns[0]!.tokenCount).toEqualTypeOf<number>()
    expectTypeOf(found!.conversation.createdAt).toEqualTypeOf<Date>()
    expect(found).toMatchObject({ subject: 'late', conversation: { turnCount: 2 } })
    expect(found!.conversation.turns.map(readAsStored)).toEqual(stored)

    const back = await app.db.query.turns.findMany({
      columns: { position: true },
      with: { conversation: { columns: { id: true }, with: { tickets: true } } },
    })
    expectTypeOf(back[0]!.conversation.tickets[0]!.subject).toEqualTypeOf<string>()
    expect(back.map(({ conversation }) => conversation.tickets[0]?.subject)).toEqual(['late', 'late'])
  })

  it('joins, sums and counts with its own rows', async () => {
    await using app = await postgresApp()
    const { cumulativeTokens } = await app.store.conversation(KEY).append(turnOf('one'))
    await app.store.conversation({ ...KEY, conversationId: 'other' }).append(turnOf('two'))
    await app.db.insert(tickets).values(TICKET)
    const rows = await app.db
      .select({ subject: tickets.subject, since: conversations.createdAt, tokens: sum(turns.tokenCount) })
      .from(tickets)
      .innerJoin(
        conversations,
        and(eq(conversations.userId, tickets.userId), eq(conversations.id, tickets.conversationId)),
      )
      .leftJoin(
        turns,
        and(eq(turns.userId, conversations.userId), eq(turns.conversationId, conversations.id)),
      )
      .groupBy(tickets.subject, conversations.createdAt)
    expectTypeOf(rows).toEqualTypeOf<{ subject: string; since: Date; tokens: string | null }[]>()
    expect(rows).toEqual([{ subject: 'late', since: expect.any(Date), tokens: String(cumulativeTokens) }])
    expect(await app.db.$count(turns, eq(turns.userId, 'ada'))).toBe(2)
    expect(await app.db.$count(conversations)).toBe(2)
  })

  it('has its own rows go with a user who is forgotten, where its foreign key says so', async () => {
    await using app = await postgresApp()
    await app.store.conversation(KEY).append(turnOf('one'))
    await app.db.insert(tickets).values(TICKET)
    expect(await app.store.forgetUser('ada')).toEqual({ conversations: 1, turns: 1 })
    expect(await app.db.$count(tickets)).toBe(0)
  })

  it('undoes a turn with its row in an inner transaction, and commits those of the outer one', async () => {
    await using app = await postgresApp()
    await app.db.transaction(async (outer) => {
      const conversation = app.store.withTransaction(outer).conversation(KEY)
      await conversation.append(turnOf('one'))
      const undone = outer.transaction(async (inner) => {
        await inner.insert(tickets).values(TICKET)
        await app.store.withTransaction(inner).conversation(KEY).append(turnOf('undone'))
        expect((await conversation.loadWindow({ maxTokens: 1000 })).turns).toHaveLength(2)
        throw new AppError()
      })
      await expect(undone).rejects.toBeInstanceOf(AppError)
      await outer.transaction(async (inner) => {
        await inner.insert(tickets).values({ ...TICKET, id: 2 })
        await app.store.withTransaction(inner).conversation(KEY).append(turnOf('two'))
      })
      await conversation.append(turnOf('three'))
    })
    const rows = await expectConsistent(app, KEY)
    expect(rows.map(({ content }) => content)).toEqual(['one', 'two', 'three'])
    expect(rows.map(({ position }) => position)).toEqual([1, 2, 3])
    expect(await app.db.select({ id: tickets.id }).from(tickets)).toEqual([{ id: 2 }])
  })

  it('goes on after a turn that failed in an inner transaction', async () => {
    await using app = await postgresApp()
    await app.db.transaction(async (outer) => {
      const failed = outer.transaction(async (inner) => {
        await inner.execute('select 1 / 0').catch(() => {})
        await app.store.withTransaction(inner).conversation(KEY).append(turnOf('lost'))
      })
      // 25P02: the inner transaction had failed before.
      await expect(failed).rejects.toMatchObject({ code: 'DATABASE_ERROR', cause: { code: '25P02' } })
      await app.store.withTransaction(outer).conversation(KEY).append(turnOf('one'))
    })
    expect((await expectConsistent(app, KEY)).map(({ content }) => content)).toEqual(['one'])
  })
})

/** A turn's row, as the store gives what it has just stored. */
function readAsStored(row: {
  position: number
  tokenCount: number
  cumulativeTokens: number
  messages: string
  createdAt: Date
}) {
  const { position, tokenCount, cumulativeTokens, messages, createdAt } = row
  const parsed = JSON.parse(messages) as unknown
  return {
    position,
    tokenCount,
    cumulativeTokens,
    messages: parsed,
    createdAt,
    metadata: null,
    replayed: false,
  }
}
