import { PostgresDialect } from './dialect/postgres/index.ts'
import type { PostgresSession } from './dialect/postgres/queries.ts'
import { ConversationStore } from './store/conversation-store.ts'
import type { StoreOptions } from './store/options.ts'

export { conversations, migrations, schema, turns } from './dialect/postgres/schema.ts'
export type { PostgresSession } from './dialect/postgres/queries.ts'
export type { ConversationStore } from './store/conversation-store.ts'

/**
 * A store on the host's own drizzle database (`drizzle-orm/postgres-js`). Its tables sit beside the host's, in the
 * first schema of its search path: make them once with `await store.migrate()`. The host's client is left as it is;
 * closing the store does not end it.
 */
export function postgresStore(
  db: PostgresSession,
  options?: StoreOptions,
): ConversationStore<PostgresSession> {
  return new ConversationStore(new PostgresDialect({ session: db }), options)
}
