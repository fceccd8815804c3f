import type { BuiltPackage } from '../../test/support/built-package.ts'
import { spread, takeTurns } from '../harness/measure.ts'
import type { Report } from '../harness/report.ts'
import { scriptCalls } from './scripts.ts'

/** Whole processes. The drivers and drizzle alone stand beside what loads them. */
const SCRIPTS = {
  'an empty script': '',
  backscroll: "import 'backscroll'",
  'backscroll/encryption': "import 'backscroll/encryption'",
  'backscroll/sqlite': "import 'backscroll/sqlite'",
  'drizzle-orm/sqlite-core alone': "import 'drizzle-orm/sqlite-core'",
  'backscroll/postgres': "import 'backscroll/postgres'",
  'drizzle-orm/pg-core alone': "import 'drizzle-orm/pg-core'",
  'openStore, SQLite in memory': `
    import { openStore } from 'backscroll'
    await (await openStore('sqlite::memory:')).close()`,
  'its packages alone': `
    import 'drizzle-orm/better-sqlite3'
    import Database from 'better-sqlite3'
    new Database(':memory:').close()`,
}

/** How long a process takes that imports a door of the library or opens a store, over one that does nothing. */
export async function reportImportTimes(report: Report, built: BuiltPackage, rounds: number): Promise<void> {
  // The first ones read the files from the disk.
  const times = await takeTurns(scriptCalls(built, SCRIPTS), { rounds, warmUp: Math.min(3, rounds) })
  const bare = spread(times['an empty script']).median
  report.table(
    `Time of a process, milliseconds, ${rounds} of each in turn`,
    Object.entries(times).map(([script, each]) => {
      const { median, p95 } = spread(each)
      return { script, median, 'over an empty script': median - bare, p95 }
    }),
  )
}
