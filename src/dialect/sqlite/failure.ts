import {
  DatabaseError,
  DatabaseUnavailableError,
  NotMigratedError,
  OutcomeUnknownError,
} from '../../errors.ts'
import { reduceCause } from '../../redact.ts'
import type { Failure } from '../dialect.ts'
import { driverError } from '../driver-error.ts'

/**
 * What an error of better-sqlite3 means for the caller. SQLite answers at once, so a failed write was never applied,
 * but for one kind: the whole commit was written, and then the disk did not confirm it.
 */
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
  if (UNCONFIRMED.has(code))
    return { error: new OutcomeUnknownError(UNKNOWN, { cause: error }), retry: 'never' }
  if (code === 'SQLITE_ERROR' && isMissingTable(error)) {
    return {
      error: new NotMigratedError(
        "backscroll's tables are missing or outdated here. Call `await store.migrate()` first; where a migration tool of your own keeps them, " +
          'have that make what is new in this version.',
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
  const message = REASONS[reason] ?? REASONS[withoutDetail(reason)] ?? OTHER
  return { error: new DatabaseError(message, { cause: error }), retry: 'never' }
}

/**
 * What remains of a commit that failed so is a whole one. This process does not see it any more, but after a crash,
 * whoever recovers the file does.
 */
const UNCONFIRMED = new Set(['SQLITE_IOERR_FSYNC', 'SQLITE_IOERR_DIR_FSYNC', 'SQLITE_IOERR_DELETE'])

const UNKNOWN =
  'The disk did not confirm a write, which may or may not have been stored: repeat it with the same idempotency key, or ' +
  'look before writing again.'

const OTHER = 'SQLite refused the statement. Nothing was written. The code of the cause says why.'

const REASONS: Readonly<Record<string, string>> = {
  SQLITE_FULL:
    'The disk, or the size that the database may have, is full. Nothing was written. Make room, then call again.',
  SQLITE_READONLY:
    'The database file is read-only for this process. Nothing was written. Give it the right to write to the file and its folder.',
  SQLITE_READONLY_DIRECTORY:
    'The folder of the database file is read-only for this process, and SQLite has to write beside the file. Nothing was ' +
    'written. Give it the right to write to the folder.',
  SQLITE_READONLY_DBMOVED:
    'The database file was moved, deleted or replaced while it was open. Nothing was written. Open it again.',
  SQLITE_CANTOPEN:
    'The database file cannot be opened: check that its folder exists, that the path is not itself a folder, and that ' +
    'this process may read and write both.',
  SQLITE_NOTADB:
    'The file is not an SQLite database, or its first page is damaged. Check the path, or restore a backup.',
  SQLITE_CORRUPT: 'The database file is damaged. Restore it from a backup.',
  SQLITE_IOERR:
    'The system could not read or write the database file: the disk fails, the file was cut short, or a limit on the ' +
    'size of files is reached. Nothing was written. The code of the cause says what was tried.',
}

/** `SQLITE_IOERR_WRITE` is a kind of `SQLITE_IOERR`. */
function withoutDetail(code: string): string {
  return code.replace(/^(SQLITE_[A-Z]+)_.*/, '$1')
}

function isMissingTable(error: unknown): boolean {
  const inner = driverError(error)
  return inner instanceof Error && /^no such (table|column): (\w+\.)?/.test(inner.message)
}
