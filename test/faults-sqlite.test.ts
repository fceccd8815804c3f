import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore, type ConversationStore } from '../src/index.ts'
import { sqliteStore } from '../src/sqlite.ts'
import { begin, expectedOf, expectTruth, METHODS, outcomeOf, storedIn } from './support/faults/methods.ts'
import { failStatements, type StatementFault } from './support/faults/sqlite-statements.ts'
import { Tally } from './support/faults/tally.ts'
import { expectConsistent, runSql, turnOf } from './support/inspect.ts'

let folder: string
let path: string
let database: { readonly name: 'sqlite'; readonly url: string }
/** Another connection than the one whose statements fail, used while none fails. */
let direct: ConversationStore
let client: Sqlite.Database
const tally = new Tally('sqlite')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'backscroll-faults-'))
  path = join(folder, 'test.db')
  database = { name: 'sqlite', url: `sqlite:${path}` }
  client = new Sqlite(path)
  client.pragma('journal_mode = wal')
  // It prepares hundreds of conversations, none of which has to survive a power loss.
  client.pragma('synchronous = off')
  direct = sqliteStore(drizzle({ client }))
  await direct.migrate()
})
afterAll(async () => {
  client.close()
  rmSync(folder, { recursive: true, force: true })
  tally.print()
})

/** How statements fail, and whether what they began may be committed nevertheless. */
interface Failure extends Omit<StatementFault, 'at'> {
  readonly times: number
  /** The code that calls end with. */
  readonly refusal: RegExp
}

/**
 * What SQLite can answer. A statement that finds the database busy or no room on the disk has not been run. Of a commit
 * that the disk did not confirm, nobody knows. Two in a row: the second is the rollback that the first one asks for.
 */
const FAILURES: readonly Failure[] = [
  { code: 'SQLITE_BUSY', when: 'before', times: 1, refusal: /^ok$/ },
  { code: 'SQLITE_FULL', when: 'before', times: 1, refusal: /^DATABASE_ERROR$/ },
  { code: 'SQLITE_FULL', when: 'before', times: 2, refusal: /^DATABASE_ERROR$/ },
  { code: 'SQLITE_IOERR_WRITE', when: 'before', times: 1, refusal: /^DATABASE_ERROR$/ },
  {
    code: 'SQLITE_IOERR_FSYNC',
    when: 'after',
    times: 1,
    refusal: /^(OUTCOME_UNKNOWN|DATABASE_UNAVAILABLE)$/,
  },
]

describe.each(FAILURES)('$code $when each statement in its turn, $times in a row', (failure) => {
  // A read waits for no disk to confirm anything.
  const methods = METHODS.filter(({ effect }) => failure.when === 'before' || effect !== 'read')

  it.each(methods)('leaves all or nothing of $name, and says which', async (method) => {
    const lane = `${method.name} ${failure.code} ${failure.times}`
    const expected = await expectedOf(database, direct, method, { userId: lane, conversationId: 'c' })
    const places: string[] = []
    for (let at = 1; ; at++) {
      const key = { userId: `${lane} ${at}`, conversationId: 'c' }
      await begin(direct, key)
      // Opened anew, so that it has its statements still to prepare.
      await using store = await openStore(database.url, { migrate: false })
      const fault = failStatements(path, { ...failure, at })
      const outcome = await outcomeOf(method.call(store, key))
      fault.heal()
      if (fault.struck.length === 0) break
      places.push(fault.struck[0]!)
      tally.count(fault.struck.length, outcome)

      expect(outcome.code).toMatch(failure.refusal)
      expectTruth(outcome, await storedIn(database, direct, key), expected)
      // The connection is out of its transaction: what it acknowledges now is there for others.
      const next = { userId: `${key.userId} next`, conversationId: 'c' }
      await store.conversation(next).append(turnOf('next'))
      expect(await expectConsistent(database, next)).toHaveLength(1)
    }
    // It is prepared, and it is run.
    expect(places.length).toBeGreaterThanOrEqual(2)
  })

  it('migrates wholly or not at all, and says which', async () => {
    let struck = 0
    for (let at = 1; ; at++) {
      const file = join(folder, `${failure.code} ${failure.times} ${at}.db`)
      await using store = await openStore(`sqlite:${file}`, { migrate: false })
      const fault = failStatements(file, { ...failure, at })
      const outcome = await outcomeOf(store.migrate())
      fault.heal()
      if (fault.struck.length === 0) break
      struck++
      tally.count(1, outcome)
      expect(outcome.code).toMatch(failure.refusal)
      const tables = await runSql(
        { name: 'sqlite', url: `sqlite:${file}` },
        `select name from sqlite_master where type = 'table' and name like 'backscroll_%'`,
      )
      const isThere = outcome.code === 'ok' || (fault.struck[0] === 'COMMIT' && failure.when === 'after')
      expect(tables).toHaveLength(isThere ? 4 : 0)
      await store.migrate()
      const key = { userId: 'ada', conversationId: 'c' }
      expect(await store.conversation(key).append(turnOf('one'))).toMatchObject({ position: 1 })
    }
    expect(struck).toBeGreaterThan(10)
  })
})

// One in a row: what a rollback of its own leaves open is the host's to end.
describe.each(FAILURES.filter(({ times }) => times === 1))("$code in a host's transaction", (failure) => {
  it('leaves all or nothing of it', async () => {
    let struck = 0
    // Not after `begin` itself: SQLite opens the transaction as its last step, which cannot fail.
    for (let at = failure.when === 'after' ? 2 : 1; ; at++) {
      const host = new Sqlite(path)
      const db = drizzle({ client: host })
      const store = sqliteStore(db)
      const key = { userId: `host ${failure.code} ${at}`, conversationId: 'c' }
      const fault = failStatements(path, { ...failure, at })
      const append = async () =>
        db.transaction((tx) => store.withTransaction(tx).conversation(key).appendSync(turnOf('one')))
      const outcome = await outcomeOf(append())
      fault.heal()
      const rows = await expectConsistent(database, key)
      // Whether its own commit was applied is for the host to find out.
      const isThere = outcome.code === 'ok' || (fault.struck[0] === 'COMMIT' && failure.when === 'after')
      expect(rows).toHaveLength(isThere ? 1 : 0)
      expect(host.inTransaction).toBe(false)
      host.close()
      if (fault.struck.length === 0) break
      struck++
      tally.count(1, outcome)
      expect(outcome.code).not.toBe('ok')
    }
    expect(struck).toBeGreaterThan(8)
  })
})
