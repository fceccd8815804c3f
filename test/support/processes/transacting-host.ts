import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { postgresStore } from '../../../src/postgres.ts'
import { turnOf } from '../inspect.ts'
import { options, print } from './ready.ts'

/** What a host is told. */
export interface TransactingHostOptions {
  readonly url: string
  readonly userId: string
  readonly conversationId: string
  /** What its turns and notes say: the name and a number. */
  readonly name: string
  /** How many of its transactions are under way at once. */
  readonly callers: number
}

/** What became of one of its transactions. */
export interface Transacted {
  readonly content: string
  readonly isCommitted: boolean
  readonly code?: string | undefined
}

/** A host app that commits a row of its own together with a turn, again and again until its input ends. */
const { url, userId, conversationId, name, callers } = options<TransactingHostOptions>()
const ending = new AbortController()
process.stdin.once('end', () => ending.abort()).resume()
const client = postgres(url, {
  max: callers,
  fetch_types: false,
  backoff: () => 0,
  connect_timeout: 5,
  onnotice: () => {},
})
const db = drizzle({ client })
const store = postgresStore(db)
await store.migrate()

let transaction = 0
await Promise.all(
  Array.from({ length: callers }, async () => {
    while (!ending.signal.aborted) {
      const content = `${name} turn ${++transaction}`
      print(await transact(content))
    }
  }),
)
await client.end({ timeout: 5 })

async function transact(content: string): Promise<Transacted> {
  try {
    await db.transaction(async (tx) => {
      await tx.execute(sql`insert into notes (content) values (${content})`)
      await store.withTransaction(tx).conversation({ userId, conversationId }).append(turnOf(content))
    })
    return { content, isCommitted: true }
  } catch (error) {
    return { content, isCommitted: false, code: (error as { code?: string }).code }
  }
}
