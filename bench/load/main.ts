/**
 * A multi-user chat app at work, on Postgres, through PgBouncer, and by two processes on one SQLite file: throughput,
 * latency, event loop lateness, memory and connections over a minute of each; and whether each turn that was acknowledged
 * is stored exactly once. Run: `npm run bench:load`.
 */
import { parseArguments } from '../harness/arguments.ts'
import { postgresDatabase, sqliteFile } from '../harness/databases.ts'
import { describeMachine } from '../harness/machine.ts'
import { Report } from '../harness/report.ts'
import { variedTurns } from '../harness/turns.ts'
import { fillAll } from './fill-all.ts'
import { Ledger } from './ledger.ts'
import { drawPlots } from './plots.ts'
import { startPooler } from './pooler.ts'
import { Population } from './population.ts'
import { runLoad, type LoadSize, type Run } from './run.ts'
import { printTables } from './tables.ts'

/** Some million turns in all. */
const FULL: LoadSize = {
  population: { users: 10_000, conversations: 100_000, longest: 80_000 },
  seconds: 60,
  warmUp: 5,
}
const SHORT: LoadSize = {
  population: { users: 50, conversations: 200, longest: 100 },
  seconds: 1,
  warmUp: 0,
}

const given = parseArguments()
const size = given.short ? SHORT : FULL
await using server = await postgresDatabase()
await using pooler = await startPooler(server.url)
await using file = await sqliteFile()
const machine = describeMachine(['postgres', 'better-sqlite3'], {
  PostgreSQL: server.version,
  ...(pooler ? { PgBouncer: pooler.version } : {}),
  SQLite: file.version,
})
const report = new Report('load', given, machine)

const fillings = new Population(size.population).fillings()
const turns = fillings.reduce((total, filling) => total + filling.turns, 0)
const { users, conversations } = size.population
const pool = await variedTurns()
const runs: Run[] = []

console.log(`\nFilling Postgres: ${users} users, ${conversations} conversations, ${turns} turns.`)
await fillAll(server.url, pool, fillings)
const onServer = { directUrl: server.url, processes: 1, ledger: new Ledger(fillings) }
runs.push(await runLoad({ ...onServer, name: 'Postgres', url: server.url }, size))
if (pooler) runs.push(await runLoad({ ...onServer, name: 'PgBouncer', url: pooler.url }, size))
else console.log('PgBouncer is not installed (apt-get install pgbouncer): nothing goes through it.')

console.log('Filling SQLite with the same.')
await fillAll(file.url, pool, fillings)
const onFile = { url: file.url, directUrl: file.url, processes: 2, ledger: new Ledger(fillings) }
runs.push(await runLoad({ ...onFile, name: 'SQLite' }, size))

printTables(report, runs)
drawPlots(report, runs)
report.write()
const isBroken = ({ proof }: Run) => proof.lost + proof.doubled + proof.miscounted > 0
if (runs.some(isBroken)) throw new Error('What is stored is not what was acknowledged.')
