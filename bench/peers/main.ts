/**
 * backscroll beside what a user would otherwise pick, on the same turns and limits, in one run. Run:
 * `npm run bench:peers`. It gives medians, token counting, memory, bytes, and judges what each returned.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArguments } from '../harness/arguments.ts'
import { postgresDatabase } from '../harness/databases.ts'
import { describeMachine } from '../harness/machine.ts'
import { Report } from '../harness/report.ts'
import { compare, type Plan } from './compare.ts'
import { Findings } from './findings.ts'
import { loadKinds, PEER_NAMES } from './peers.ts'

const SHORT: Plan = {
  sizes: [12],
  limits: [1_000],
  rounds: { slow: 1, quick: 3 },
  memoryOf: ['backscrollSqlite'],
}
const FULL: Plan = {
  sizes: [100, 1_000, 10_000],
  limits: [2_000, 8_000, 128_000],
  rounds: { slow: 1, quick: 25 },
  memoryOf: PEER_NAMES,
}

const require = createRequire(import.meta.url)
const { dependencies } = require('./package.json') as { dependencies: Record<string, string> }

const given = parseArguments()
const folder = mkdtempSync(join(tmpdir(), 'backscroll-bench-'))
await using database = await postgresDatabase()
try {
  const machine = describeMachine(['better-sqlite3', 'postgres'], {
    PostgreSQL: database.version,
    ...dependencies,
  })
  const report = new Report('peers', given, machine)
  const kinds = await loadKinds()
  const findings = new Findings(kinds)
  await compare(kinds, { postgresUrl: database.url, folder }, given.short ? SHORT : FULL, findings)
  findings.report(report)
  report.write()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
