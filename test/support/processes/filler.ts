import { BackscrollError, openStore } from '../../../src/index.ts'
import { options, print } from './ready.ts'

/** What a filler is told: where to append, and how long its turns are, in characters. */
export interface FillerOptions {
  readonly url: string
  readonly userId: string
  readonly conversationId: string
  readonly characters: number
}

/** What a filler prints at the end: the error that stopped it, and how many turns it could read then. */
export interface Stopped {
  readonly code: string
  readonly message: string
  readonly cause: string
  readonly listed: number
}

/** Appends turns, each under its number, and prints the position of each, until the database takes no more. */
const { url, userId, conversationId, characters } = options<FillerOptions>()
const store = await openStore(url)
const conversation = store.conversation({ userId, conversationId })
for (let turn = 1; ; turn++) {
  try {
    const content = `turn ${turn} ${'word '.repeat(characters / 5)}`
    const { position } = await conversation.append([{ role: 'user', content }])
    print(position)
  } catch (error) {
    if (!(error instanceof BackscrollError)) throw error
    const { code } = error.cause as { code: string }
    const listed = (await conversation.listTurns({ limit: 1000 })).length
    print({ code: error.code, message: error.message, cause: code, listed } satisfies Stopped)
    break
  }
}
await store.close()
