import type { SyncDialect } from '../dialect/dialect.ts'
import { ConversationStore, countingOf, keyOf } from './conversation-store.ts'
import type { ConversationOptions } from './options.ts'
import { SyncConversation } from './sync-conversation.ts'

/** A store on a database that answers at once: its conversations have `appendSync` and `loadWindowSync` as well. */
export class SyncConversationStore<Tx = unknown> extends ConversationStore<Tx, SyncDialect<Tx>> {
  override conversation(options: ConversationOptions): SyncConversation {
    return new SyncConversation(this.context, keyOf(options), countingOf(options))
  }

  override withTransaction(tx: Tx): SyncConversationStore<Tx> {
    return new SyncConversationStore(this.dialect.within(tx), this.options, this.examination)
  }
}
