import { existsSync } from 'node:fs'
import {
  DatabaseUnavailableError,
  openStore,
  RowLevelSecurityError,
  type Codec,
  type Conversation,
  type ConversationStore,
  type CountedAs,
  type MigrationOptions,
  type OpenStoreOptions,
  type StoreWarning,
} from '../index.ts'
import { openConversation } from '../transfer/open-conversation.ts'
import { codecOf } from './codec.ts'
import { CommandError, EXIT, type Surroundings } from './command.ts'

const DEFAULT_URL = 'sqlite:backscroll.db'

/** The database that `--database` names, else the environment's BACKSCROLL_DATABASE, else a file in the current folder. */
export function databaseUrl(option: string | undefined, { environment }: Surroundings): string {
  return option ?? (environment['BACKSCROLL_DATABASE'] || DEFAULT_URL)
}

/** A database, and the codec of what is stored in it; none for what reads no texts. */
export interface Database {
  readonly url: string
  readonly codec?: Codec | undefined
}

/** The database and the codec that the options name, else the environment. @throws {CommandError} for no codec. */
export async function databaseOf(
  { database, codec }: { readonly database?: string | undefined; readonly codec?: string | undefined },
  surroundings: Surroundings,
): Promise<Database> {
  return { url: databaseUrl(database, surroundings), codec: await codecOf(codec, surroundings) }
}

/**
 * Runs `work` on the store of a database, which is closed at the end, whatever happens. It must be there: a typo makes no
 * database. Its tables are left as they are.
 *
 * @throws {DatabaseUnavailableError} when there is no such file.
 * @throws {NotMigratedError} from the first call that needs a table that is not there.
 */
export async function withExistingStore<T>(
  database: Database,
  surroundings: Surroundings,
  work: (store: ConversationStore) => Promise<T>,
): Promise<T> {
  if (isMissingFile(database.url)) {
    const which = database.url === DEFAULT_URL ? 'file backscroll.db here' : 'file where the URL says'
    throw new DatabaseUnavailableError(
      `There is no database ${which}. Name another with --database URL, or make it: backscroll migrate.`,
    )
  }
  await using store = await openExamined(database, surroundings)
  return await work(store)
}

/** The most that a store takes: an import must not stop for good at a turn that an app with a larger cap has kept. */
const MAX_TURN_CHARACTERS = 4_000_000

/** The same for what may begin a database: it is made if it is not there, and its tables are brought up to date. */
export async function withStore<T>(
  database: Database,
  surroundings: Surroundings,
  work: (store: ConversationStore) => Promise<T>,
): Promise<T> {
  const options = { maxTurnCharacters: MAX_TURN_CHARACTERS }
  await using store = await openExamined(database, surroundings, { options, isToMigrate: true })
  return await work(store)
}

/** Brings a database's tables up to date, and makes policies where they are asked for. */
export async function migrate(
  url: string,
  { signal }: Surroundings,
  options?: MigrationOptions,
): Promise<void> {
  await using store = await openStore(url, { migrate: false })
  await store.migrate({ ...options, signal })
}

/**
 * A store whose warnings are a line each. Where row-level security binds the role of the URL, it names its users; so the
 * same command does for every role.
 */
async function openExamined(
  { url, codec }: Database,
  { errors, signal }: Surroundings,
  { options: more = {}, isToMigrate = false }: { options?: OpenStoreOptions; isToMigrate?: boolean } = {},
): Promise<ConversationStore> {
  const onWarning = ({ message }: StoreWarning) => void errors.write(`backscroll: warning: ${message}\n`)
  const options = { ...more, migrate: false, codec, onWarning }
  const store = await openStore(url, options)
  try {
    // On this one: a database in memory has no other.
    if (isToMigrate) await store.migrate({ signal })
    await store.examine({ signal })
    return store
  } catch (error) {
    await store.close()
    if (error instanceof RowLevelSecurityError) return openStore(url, { ...options, rowLevelSecurity: true })
    throw error
  }
}

/** The statements by which Postgres keeps users apart, to read or to run by other means. */
export async function rowLevelSecurityStatements(options: {
  readonly role: string | undefined
}): Promise<string> {
  const { rowLevelSecurityPolicies } = await import('../postgres.ts')
  return rowLevelSecurityPolicies(options)
}

/** A conversation that is stored, and how its turns were counted. */
export interface StoredConversation {
  readonly conversation: Conversation
  readonly countedAs: CountedAs
}

/**
 * A conversation as it was last counted, so that looking at it counts nothing anew.
 *
 * @throws {CommandError} when there is none.
 */
export async function storedConversation(
  store: ConversationStore,
  key: { readonly userId: string; readonly conversationId: string },
  { signal }: Surroundings,
): Promise<StoredConversation> {
  const { conversation, countedAs } = await openConversation(store, key, { signal })
  if (countedAs) return { conversation, countedAs }
  throw new CommandError(EXIT.notFound, 'There is no such conversation. See: backscroll list')
}

/** A database URL as it may be printed: `postgres://host:port/database`, or `postgres://…` where that is not certain. */
export function withoutCredentials(url: string): string {
  if (url.startsWith('sqlite:')) return url
  // Several hosts cannot be read here. And where an @ follows the host, that was a password with a bare / ? or #.
  if (!URL.canParse(url)) return HIDDEN
  const { protocol, host, pathname, search, hash } = new URL(url)
  return `${pathname}${search}${hash}`.includes('@') ? HIDDEN : `${protocol}//${host}${pathname}`
}

const HIDDEN = 'postgres://…'

function isMissingFile(url: string): boolean {
  return url.startsWith('sqlite:') && !existsSync(url.slice('sqlite:'.length).replace(/^\/\/(?=.)/, ''))
}
