/**
 * What it costs to have the library: the time to import it, the memory that it holds at rest, and the size of the package.
 * Of the package as npm would install it, built anew. Run: `npm run bench:footprint`.
 */
import { buildPackage } from '../../test/support/built-package.ts'
import { parseArguments } from '../harness/arguments.ts'
import { describeMachine } from '../harness/machine.ts'
import { Report } from '../harness/report.ts'
import { reportImportTimes } from './import-times.ts'
import { reportMemory } from './memory.ts'
import { reportPackedSize } from './packed-size.ts'

const SHORT = { imports: 1, processes: 1 }
const LONG = { imports: 40, processes: 7 }

const given = parseArguments()
const rounds = given.short ? SHORT : LONG
const packages = ['better-sqlite3', 'postgres', 'drizzle-orm', 'js-tiktoken']
const report = new Report('footprint', given, describeMachine(packages))
const built = await buildPackage()
try {
  await reportImportTimes(report, built, rounds.imports)
  await reportMemory(report, built, rounds.processes)
  await reportPackedSize(report, built)
} finally {
  built.remove()
}
report.write()
