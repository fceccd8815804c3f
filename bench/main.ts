/**
 * How far loading, appending and a chat step (both) are from what the database and the disk allow: each beside its floor,
 * a hand-written call of the driver, in the same run. Run: `npm run bench`; `-- --full` for a million turns as well.
 */
import { loadsOverTurns } from './calls/chart.ts'
import { runContests, type Found } from './calls/contests.ts'
import { Goals } from './calls/goals.ts'
import { floorSubject, hostSubject, storeSubject } from './calls/subjects.ts'
import { postgresFloor } from './floors/postgres.ts'
import { sqliteFloor } from './floors/sqlite.ts'
import { parseArguments } from './harness/arguments.ts'
import { postgresDatabase, sqliteFile, type BenchDatabase } from './harness/databases.ts'
import { fill } from './harness/fill.ts'
import { describeMachine } from './harness/machine.ts'
import { Report } from './harness/report.ts'
import { variedTurns } from './harness/turns.ts'

const USER = 'ada'

const given = parseArguments()
const lengths = given.short ? [100, 1000] : [100, 1000, 10_000, 100_000, ...(given.full ? [1_000_000] : [])]
const conversations = new Map(lengths.map((turns) => [turns, `of ${turns} turns`]))
const pool = await variedTurns()
const haste = given.short ? 100 : 1
const goals = new Goals()

await using file = await sqliteFile()
await using server = await postgresDatabase()
const versions = { SQLite: file.version, PostgreSQL: server.version }
const machine = describeMachine(['better-sqlite3', 'postgres', 'drizzle-orm'], versions)
const report = new Report('main', given, machine)
console.log(
  `floor: the driver by hand. store: of openStore. host: of a host's drizzle. unnamed: as behind a pooler.`,
)

const everything = [await onSqlite(), await onPostgres()]
const tables: [keyof Found, string][] = [
  ['loads', 'Loading a window'],
  ['lengths', 'Loading the same turns of a short and of a long conversation'],
  ['appends', 'Appending a turn'],
  ['steps', 'A chat step: a load and an append'],
]
for (const [kind, title] of tables)
  report.table(
    title,
    everything.flatMap((found) => found[kind]),
  )
report.table('Ratios of medians and what they are to be', goals.rows())
report.lines('loads', loadsOverTurns(everything.flatMap(({ loads }) => loads)))
report.write()

async function onSqlite(): Promise<Found> {
  await fillAll(file)
  // A file each: a connection that sees that another has written drops what it keeps in memory.
  const [floor, store, host] = [await file.copy(), await file.copy(), await file.copy()]
  const subjects = {
    floor: floorSubject(sqliteFloor(floor, USER), conversations),
    store: await storeSubject(store, USER),
    host: hostSubject(host, USER),
  }
  const found = await runContests({ database: 'SQLite', conversations }, { subjects, pool, haste }, goals)
  for (const subject of Object.values(subjects)) await subject.close()
  return found
}

async function onPostgres(): Promise<Found> {
  await fillAll(server)
  const [floor, store, unnamed, host] = [
    await server.copy(),
    await server.copy(),
    await server.copy(),
    await server.copy(),
  ]
  const subjects = {
    floor: floorSubject(postgresFloor(floor, USER), conversations),
    store: await storeSubject(store, USER),
    unnamed: await storeSubject(unnamed, USER, { preparedStatements: false }),
    host: hostSubject(host, USER),
  }
  const found = await runContests({ database: 'Postgres', conversations }, { subjects, pool, haste }, goals)
  for (const subject of Object.values(subjects)) await subject.close()
  return found
}

function fillAll(database: BenchDatabase): Promise<void> {
  const fillings = [...conversations].map(([turns, conversationId]) => ({
    userId: USER,
    conversationId,
    turns,
  }))
  return fill(database.url, pool, fillings)
}
