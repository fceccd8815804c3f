import { setImmediate } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { postgresStore } from '../../../src/postgres.ts'
import { options, print } from '../processes/ready.ts'
import { outcomeOf } from './methods.ts'
import { startProxy, type Fault } from './proxy.ts'

/** What a host is told. */
export interface HostOptions {
  readonly url: string
  /** Where its connection is cut. */
  readonly cuts: readonly Pick<Fault, 'of' | 'effect'>[]
}

/** What came of one transaction. */
export interface HostTransaction {
  /** The user whose turn it appended, and the id of the note that it wrote beside it. */
  readonly id: string
  /** `ok`, or the code that `db.transaction` rejected with. */
  readonly code: string
  /** What nobody could have caught: it would have ended the process. */
  readonly uncaught: readonly string[]
}

/**
 * A host that writes a note and a turn in one transaction of its own, and prints what came of it; again and again, with
 * its connection cut at each message in its turn. In a process of its own, since postgres.js can end it.
 */
const { url, cuts } = options<HostOptions>()
const uncaught: string[] = []
process.on('uncaughtException', (error) => uncaught.push(`${error.name}: ${error.message}`))
process.on('unhandledRejection', (error) => uncaught.push(String(error)))

for (const cut of cuts) {
  for (let at = 1; ; at++) {
    const proxy = await startProxy(url)
    const client = postgres(proxy.url, { max: 1, fetch_types: false, onnotice: () => {} })
    const db = drizzle({ client })
    await client`select 1`
    const id = `${cut.of} ${cut.effect} ${at}`
    const fault = proxy.inject({ ...cut, at })
    const call = db.transaction(async (tx) => {
      await tx.execute(sql`insert into notes values (${id})`)
      const conversation = postgresStore(db)
        .withTransaction(tx)
        .conversation({ userId: id, conversationId: 'c' })
      await conversation.append([{ role: 'user', content: 'one' }])
    })
    const { code } = await outcomeOf(call)
    await proxy.quiet()
    // The driver writes what it has to say in the next turn of the event loop, to a connection that may be gone.
    await setImmediate()
    print({ id, code, uncaught: uncaught.splice(0) } satisfies HostTransaction)
    const isOver = fault.struck === 0
    void client.end({ timeout: 0 })
    await proxy.close()
    if (isOver) break
  }
}
process.exit(0)
