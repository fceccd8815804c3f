import { DatabaseError, DatabaseUnavailableError, NotMigratedError } from '../../errors.ts'
import { reduceCause } from '../../redact.ts'
import type { Failure } from '../dialect.ts'

/** What an error of better-sqlite3 means for the caller. SQLite answers at once, so a failed write was never applied. */
export function explain(error: unknown): Failure {
  const { code = '' } = reduceCause(error)
  // BUSY: another connection holds the write lock. LOCKED: another statement of this process does.
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return {
      error: new DatabaseUnavailableError(
        'The database is locked by another writer. Nothing was written; try again.',
        {
          cause: error,
        },
      ),
      retry: 'always',
    }
  }
  if (code === 'SQLITE_ERROR' && isMissingTable(error)) {
    return {
      error: new NotMigratedError(
        "backscroll's tables are missing or outdated here. Call `await store.migrate()` first.",
        {
          cause: error,
        },
      ),
      retry: 'never',
    }
  }
  // better-sqlite3 itself says so, without a code, before SQLite is asked.
  const reason =
    error instanceof TypeError && /directory does not exist/.test(error.message) ? 'SQLITE_CANTOPEN' : code
  return { error: new DatabaseError(REASONS[reason] ?? OTHER, { cause: error }), retry: 'never' }
}

const OTHER = 'SQLite refused the statement. Nothing was written. The code of the cause says why.'

const REASONS: Readonly<Record<string, string>> = {
  SQLITE_FULL: 'The disk, or the size that the database may have, is full. Nothing was written.',
  SQLITE_READONLY: 'The database file is read-only for this process. Nothing was written.',
  SQLITE_READONLY_DIRECTORY:
    'The folder of the database file is read-only for this process, and SQLite has to write beside the file. Nothing was written.',
  SQLITE_CANTOPEN:
    'The database file cannot be opened: check that its directory exists and may be written to.',
  SQLITE_NOTADB: 'The file is not an SQLite database.',
  SQLITE_CORRUPT: 'The database file is damaged. Restore it from a backup.',
}

function isMissingTable(error: unknown): boolean {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return inner instanceof Error && /^no such (table|column): (\w+\.)?/.test(inner.message)
}
