import { register } from 'node:module'
import { options, print } from './ready.ts'

/** What a reader is told. */
export interface ReaderOptions {
  readonly url: string
  readonly userId: string
  readonly conversationId: string
}

/** Opens a database and reads a conversation, in a process in which js-tiktoken cannot be imported. */
const refuse = `export async function resolve(specifier, context, next) {
  if (specifier.startsWith('js-tiktoken')) throw new Error('js-tiktoken was asked for')
  return next(specifier, context)
}`
register(`data:text/javascript,${encodeURIComponent(refuse)}`)

const { url, userId, conversationId } = options<ReaderOptions>()
const { ConversationTokenBufferMemory, openStore } = await import('../../../src/index.ts')
const store = await openStore(url)
const conversation = store.conversation({ userId, conversationId })
print({ turns: (await conversation.listTurns()).length })
print({ messages: (await conversation.loadWindow({ maxTokens: 1000 })).messages.length })
print(await new ConversationTokenBufferMemory({ store, userId, conversationId }).loadMemoryVariables())
// That it is asked for when a turn has to be counted shows that the import would have been seen.
await conversation
  .append([{ role: 'user', content: 'x' }])
  .catch((error: unknown) => print({ append: error instanceof Error ? error.message : error }))
await store.close()
