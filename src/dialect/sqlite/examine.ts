import { sql } from 'drizzle-orm'
import type { StoreWarning } from '../dialect.ts'
import type { SqliteSession } from './session.ts'

/** `pragma synchronous` from here on waits until a commit is on the disk. */
const FULL = 2

/** Settings under which what a store promises does not hold. A database in memory promises nothing beyond its process. */
export function examine(session: SqliteSession): StoreWarning[] {
  const [main] = session.all<{ file: string | null }>(sql`pragma database_list`)
  if (!main?.file) return []
  // SQLite lowers the setting of a write-ahead log when it next reads the file: a host may have switched to one just now.
  session.all(sql`select 1 from sqlite_master limit 1`)
  const [setting] = session.all<{ synchronous: number }>(sql`pragma synchronous`)
  return setting && setting.synchronous < FULL ? [WEAK_DURABILITY] : []
}

const WEAK_DURABILITY: StoreWarning = {
  code: 'WEAK_DURABILITY',
  message:
    'SQLite runs below synchronous = full on this connection (better-sqlite3 does so in WAL mode): a power loss can lose ' +
    'turns that were acknowledged. Set `pragma synchronous = full`.',
}
