import { InvalidArgumentError } from '../errors.ts'
import { kindOf } from '../redact.ts'
import type { ConnectionOptions, Dialect } from './dialect.ts'

/**
 * Opens the database that a URL names, and loads the driver for it, and only that.
 *
 * @throws {InvalidArgumentError} for any other URL. @throws {MissingDriverError} when its driver is not installed.
 */
export async function openDialect(url: unknown, options: ConnectionOptions): Promise<Dialect> {
  if (typeof url === 'string' && url.startsWith('sqlite:')) {
    const path = url.slice('sqlite:'.length).replace(/^\/\/(?=.)/, '')
    // SQLite takes an empty path, or a blank one, which better-sqlite3 trims, for a database that it deletes when it is
    // closed; and it ends a path at a NUL.
    if (path.trim() !== '' && !path.includes('\0')) {
      if (options.rowLevelSecurity) {
        throw new InvalidArgumentError('rowLevelSecurity needs Postgres: SQLite has no policies.')
      }
      return (await import('./sqlite/index.ts')).openSqlite(path)
    }
  }
  if (typeof url === 'string' && /^postgres(ql)?:\/\/./.test(url)) {
    return (await import('./postgres/index.ts')).openPostgres(url, options)
  }
  // The URL itself may hold a password.
  throw new InvalidArgumentError(
    `A database URL is sqlite:PATH, sqlite::memory: or postgres://…, and a path alone is none; got ${kindOf(url)}.`,
  )
}
