import { openStore } from '../../../src/index.ts'
import { options, print, ready } from './ready.ts'

/** What a migrator is told. */
export interface MigratorOptions {
  readonly url: string
  readonly conversationId: string
}

/** Opens a database, which makes its tables when they are missing, appends a turn and prints its position. */
const { url, conversationId } = options<MigratorOptions>()
await ready()
const store = await openStore(url)
const conversation = store.conversation({ userId: 'ada', conversationId })
const { position } = await conversation.append([{ role: 'user', content: 'hi' }])
print({ position })
await store.close()
