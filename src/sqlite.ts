import { checkDatabase } from './dialect/sqlite/host.ts'
import { SqliteDialect } from './dialect/sqlite/index.ts'
import type { SqliteSession } from './dialect/sqlite/session.ts'
import type { StoreOptions } from './store/options.ts'
import { SyncConversationStore } from './store/sync-conversation-store.ts'

export { conversations, migrations, operations, schema, turns } from './dialect/sqlite/schema.ts'
export type { SqliteSession } from './dialect/sqlite/session.ts'
export type { SyncConversation } from './store/sync-conversation.ts'
export type { SyncConversationStore } from './store/sync-conversation-store.ts'

/**
 * A store on the host's own drizzle database (`drizzle-orm/better-sqlite3`). Its tables sit beside the host's: make
 * them once with `await store.migrate()`. The connection's settings are left as they are; closing the store does not
 * close it.
 *
 * Durability is then the host's choice: in WAL mode better-sqlite3 runs `synchronous = normal`, which can lose the
 * newest turns in a power loss. `pragma synchronous = full` keeps them.
 */
export function sqliteStore(db: SqliteSession, options?: StoreOptions): SyncConversationStore<SqliteSession> {
  return new SyncConversationStore(new SqliteDialect(checkDatabase(db)), options)
}
