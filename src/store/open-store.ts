import { isSync, type Dialect } from '../dialect/dialect.ts'
import { openDialect } from '../dialect/open.ts'
import { checkFlag, checkOptions, checkStoreOptions, checkWhole } from './arguments.ts'
import type { ConversationStore } from './conversation-store.ts'
import type { OpenStoreOptions, StoreOptions } from './options.ts'

/**
 * Opens the database that a URL names and brings its tables up to date: `sqlite:PATH`, `sqlite::memory:`,
 * `postgres://…` or `postgresql://…`. Loads the driver that the URL needs, and no other.
 *
 * @throws {InvalidArgumentError} for another URL, or an option out of range.
 * @throws {MissingDriverError} when the driver is not installed.
 * @throws {DatabaseUnavailableError} | {DatabaseError} when the database cannot be reached or migrated.
 * @throws {RowLevelSecurityError} when `rowLevelSecurity` was asked for and the database does not give it.
 */
export async function openStore(url: string, options?: OpenStoreOptions): Promise<ConversationStore> {
  const { migrate, maxConnections, preparedStatements, rowLevelSecurity, ...others } = checkOptions(
    'openStore',
    options,
  )
  const storeOptions = checkStoreOptions(others)
  const isToMigrate = checkFlag('migrate', migrate ?? true)
  const isWalled = checkFlag('rowLevelSecurity', rowLevelSecurity ?? false)
  const dialect = await openDialect(url, {
    maxConnections: checkWhole('maxConnections', maxConnections ?? 10, 1, 1000),
    preparedStatements:
      preparedStatements === undefined ? undefined : checkFlag('preparedStatements', preparedStatements),
    rowLevelSecurity: isWalled,
  })
  const store = await storeOn(dialect, storeOptions)
  try {
    // With row-level security the tables' owner migrates: whoever makes the tables can go round their policies.
    if (isToMigrate && !isWalled) await store.migrate()
    if (isToMigrate || isWalled) await store.examine()
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Half of the library's modules are the store's: they are loaded with the first store, as the driver is. */
async function storeOn(dialect: Dialect, options: StoreOptions): Promise<ConversationStore> {
  if (isSync(dialect)) {
    const { SyncConversationStore } = await import('./sync-conversation-store.ts')
    return new SyncConversationStore(dialect, options)
  }
  const { ConversationStore } = await import('./conversation-store.ts')
  return new ConversationStore(dialect, options)
}
