import { loadEncoder } from '../../../src/tokens/encoder.ts'
import { openStore } from '../../../src/index.ts'
import { options, print, ready } from './ready.ts'

/** What a writer is told. */
export interface WriterOptions {
  readonly url: string
  readonly userId: string
  readonly conversationId: string
  /** What its turns say: the text and a number. */
  readonly text: string
  readonly turns: number
  /** How many appends are under way at once. */
  readonly callers: number
  /** Under which key: one for all its turns, one for each (the text and the number), or none. */
  readonly key?: 'text' | 'each' | undefined
}

/** Appends turns, and prints the position of each once it is acknowledged: what it printed must be there for ever. */
const { url, userId, conversationId, text, turns, callers, key } = options<WriterOptions>()
const store = await openStore(url, { deadlineMs: 60_000 })
const conversation = store.conversation({ userId, conversationId })
await loadEncoder('o200k_base')
await ready()

let turn = 0
await Promise.all(
  Array.from({ length: callers }, async () => {
    while (turn < turns) {
      const number = ++turn
      const content = key === 'text' ? text : `${text} ${number}`
      const stored = await conversation.append(
        [
          { role: 'user', content },
          { role: 'assistant', content: 'Noted.' },
        ],
        key === undefined ? {} : { idempotencyKey: content },
      )
      print({ content, position: stored.position, replayed: stored.replayed })
    }
  }),
)
await store.close()
