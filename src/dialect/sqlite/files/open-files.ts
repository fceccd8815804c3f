import { resolve } from 'node:path'
import { DatabaseError, OutcomeUnknownError } from '../../../errors.ts'
import { KnownFile } from './known-file.ts'

/** The slice of better-sqlite3's database that tells what it has open. */
interface Client {
  readonly name: string
  pragma(source: string, options?: { simple?: boolean }): unknown
}

/**
 * The files that a connection has open, held against their paths before a call and after a write. With a write-ahead log
 * SQLite itself does not look: it writes to a deleted file and says that all went well.
 */
export class OpenFiles {
  readonly #client: Client
  readonly #database: KnownFile
  #log: readonly KnownFile[] = []

  constructor(client: Client) {
    this.#client = client
    // Trimmed, as better-sqlite3 does itself before it opens the file.
    this.#database = new KnownFile(resolve(client.name.trim()))
    this.#findLog()
  }

  /** @throws {DatabaseError} when the path no longer leads to the file that is open. */
  checkBeforeRead(): void {
    if (!this.#database.isThere()) throw new DatabaseError(`${MOVED} Nothing was read. ${REOPEN}`)
  }

  /** @throws {DatabaseError} when that, its log or the index of that was moved, deleted or replaced. */
  checkBeforeWrite(): void {
    if (this.#log.length === 0) this.#findLog()
    if (!this.#areThere()) throw new DatabaseError(`${MOVED} Nothing was written. ${REOPEN}`)
  }

  /**
   * Touches no lock, of which the failure would say that nothing was written: the write is committed.
   *
   * @throws {OutcomeUnknownError} when one of them went meanwhile.
   */
  checkAfterWrite(): void {
    if (!this.#areThere()) throw new OutcomeUnknownError(`${MOVED_MEANWHILE} ${REOPEN} ${AGAIN_OR_LOOK}`)
  }

  #areThere(): boolean {
    return [this.#database, ...this.#log].every((file) => file.isThere())
  }

  /**
   * The log, and the index of it through which processes know of each other's writes. They belong to this connection
   * once it says that it uses them: until then another process may still take its own away.
   */
  #findLog(): void {
    if (this.#client.pragma('journal_mode', { simple: true }) !== 'wal') return
    // A read, of which there may have been none yet: at the first one SQLite makes the index.
    this.#client.pragma('user_version')
    const [main] = this.#client.pragma('database_list') as { file: string }[]
    // Beside the file that a link leads to, which is the path that SQLite gives here.
    this.#log = ['-wal', '-shm'].map((ending) => new KnownFile(`${main?.file}${ending}`))
  }
}

const MOVED =
  'The database file or its write-ahead log is no longer the one that the store opened: it was moved, deleted or replaced.'
const MOVED_MEANWHILE =
  'The database file or its write-ahead log was moved, deleted or replaced during a write, which may be lost with it.'
const REOPEN = 'See that the right file is in its place, close the store and open it again.'
const AGAIN_OR_LOOK = 'Then repeat the write with the same idempotency key, or look before writing again.'
