import { ConversationTokenBufferMemory, openStore, type EncodingName } from '../../../src/index.ts'
import { options, print } from './ready.ts'

/** What a saver is told: whose turns, in which conversations. */
export interface SaverOptions {
  readonly url: string
  readonly userId: string
  readonly conversations: readonly SavedConversation[]
}

export interface SavedConversation {
  readonly conversationId: string
  readonly encoding: EncodingName
  /** What the person said and what was answered, oldest first. */
  readonly turns: readonly (readonly [input: string, output: string])[]
}

/** Saves turns through the memory, and prints how many. */
const { url, userId, conversations } = options<SaverOptions>()
const store = await openStore(url)
let saved = 0
for (const { conversationId, encoding, turns } of conversations) {
  const memory = new ConversationTokenBufferMemory({ store, userId, conversationId, encoding })
  for (const [input, output] of turns) {
    await memory.saveContext({ input }, { output })
    saved++
  }
}
print(saved)
await store.close()
