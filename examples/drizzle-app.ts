// Shows: an app with a table of its own beside backscroll's: an order and its turn are committed together, or neither.
// Run: npx tsx examples/drizzle-app.ts (DATABASE_URL=postgres://… for Postgres in place of SQLite)
// Prints: Ordered in turn 1. | Out of stock: nothing is stored. | 2 × blue mug, in turn 1 of 1
import { randomUUID } from 'node:crypto'
import type { Message } from 'backscroll'
import * as onPostgres from 'backscroll/postgres'
import * as onSqlite from 'backscroll/sqlite'
import Database from 'better-sqlite3'
import { and, eq, sql } from 'drizzle-orm'
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3'
import * as pg from 'drizzle-orm/pg-core'
import { drizzle as drizzlePostgres } from 'drizzle-orm/postgres-js'
import * as sqlite from 'drizzle-orm/sqlite-core'
import OpenAI from 'openai'
import postgres from 'postgres'
import { answerWithoutKey } from './local-model.ts'

await answerWithoutKey() // leave this out of your own app, and set OPENAI_API_KEY

const WHO = { userId: 'ada', conversationId: randomUUID(), framing: 'chat' } as const

interface Order {
  readonly item: string
  readonly quantity: number
}

/** The app's database. Of the two below, keep the one for yours. */
interface Shop {
  history(): Promise<Message[]>
  /** Stores the turn, and the order with the turn's position, in one transaction. */
  order(order: Order, turn: readonly Message[]): Promise<number>
  /** The app's table joined with backscroll's. */
  orders(): Promise<(Order & { readonly turn: number; readonly turnCount: number })[]>
  close(): Promise<void>
}

/** Stands for the app's own migrations. */
const CREATE_ORDERS = sql`
  create table if not exists orders (
    item text not null, quantity integer not null,
    user_id text not null, conversation_id text not null, turn bigint not null
  )`

class OutOfStockError extends Error {}

const shop = process.env.DATABASE_URL ? await openPostgres(process.env.DATABASE_URL) : await openSqlite()
const client = new OpenAI()

/** Asks the model first: a transaction that waited for it would keep others waiting. */
async function say(content: string, order: Order): Promise<void> {
  const question = { role: 'user', content } as const
  const messages = [...(await shop.history()), question]
  const { choices } = await client.chat.completions.create({ model: 'gpt-5-mini', messages })
  const answer = { role: 'assistant', content: choices[0]?.message.content ?? '' } as const
  console.log(`Ordered in turn ${await shop.order(order, [question, answer])}.`)
}

await say('Two blue mugs, please.', { item: 'blue mug', quantity: 2 })
await say('And a thousand red ones.', { item: 'red mug', quantity: 1000 }).catch((error: unknown) => {
  if (!(error instanceof OutOfStockError)) throw error
  console.log('Out of stock: nothing is stored.')
})
for (const { item, quantity, turn, turnCount } of await shop.orders()) {
  console.log(`${quantity} × ${item}, in turn ${turn} of ${turnCount}`)
}
await shop.close()

function checkStock({ quantity }: Order): void {
  if (quantity > 100) throw new OutOfStockError()
}

async function openSqlite(): Promise<Shop> {
  const db = drizzleSqlite({ client: new Database(':memory:') })
  const store = onSqlite.sqliteStore(db)
  const { conversations } = onSqlite.schema
  const orders = sqlite.sqliteTable('orders', {
    item: sqlite.text('item').notNull(),
    quantity: sqlite.integer('quantity').notNull(),
    userId: sqlite.text('user_id').notNull(),
    conversationId: sqlite.text('conversation_id').notNull(),
    turn: sqlite.integer('turn').notNull(),
  })
  await store.migrate()
  db.run(CREATE_ORDERS)
  return {
    history: async () => (await store.conversation(WHO).loadWindow({ maxTokens: 4000 })).messages,
    // The body of a better-sqlite3 transaction is synchronous, and so is appendSync.
    order: async (order, messages) =>
      db.transaction(
        (tx) => {
          const { position: turn } = store.withTransaction(tx).conversation(WHO).appendSync(messages)
          tx.insert(orders)
            .values({ ...order, ...WHO, turn })
            .run()
          checkStock(order)
          return turn
        },
        // Waits for other writers at its beginning, where it can; later it would fail.
        { behavior: 'immediate' },
      ),
    orders: () =>
      db
        .select({
          item: orders.item,
          quantity: orders.quantity,
          turn: orders.turn,
          turnCount: conversations.turnCount,
        })
        .from(orders)
        .innerJoin(
          conversations,
          and(eq(conversations.userId, orders.userId), eq(conversations.id, orders.conversationId)),
        )
        .where(eq(orders.conversationId, WHO.conversationId))
        .execute(),
    close: async () => void db.$client.close(),
  }
}

async function openPostgres(url: string): Promise<Shop> {
  const db = drizzlePostgres({ client: postgres(url, { onnotice: () => {} }) })
  const store = onPostgres.postgresStore(db)
  const { conversations } = onPostgres.schema
  const orders = pg.pgTable('orders', {
    item: pg.text('item').notNull(),
    quantity: pg.integer('quantity').notNull(),
    userId: pg.text('user_id').notNull(),
    conversationId: pg.text('conversation_id').notNull(),
    turn: pg.bigint('turn', { mode: 'number' }).notNull(),
  })
  await store.migrate()
  await db.execute(CREATE_ORDERS)
  return {
    history: async () => (await store.conversation(WHO).loadWindow({ maxTokens: 4000 })).messages,
    order: (order, messages) =>
      db.transaction(async (tx) => {
        const { position: turn } = await store.withTransaction(tx).conversation(WHO).append(messages)
        await tx.insert(orders).values({ ...order, ...WHO, turn })
        checkStock(order)
        return turn
      }),
    orders: () =>
      db
        .select({
          item: orders.item,
          quantity: orders.quantity,
          turn: orders.turn,
          turnCount: conversations.turnCount,
        })
        .from(orders)
        .innerJoin(
          conversations,
          and(eq(conversations.userId, orders.userId), eq(conversations.id, orders.conversationId)),
        )
        .where(eq(orders.conversationId, WHO.conversationId)),
    close: () => db.$client.end(),
  }
}
