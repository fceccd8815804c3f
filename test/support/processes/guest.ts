import { BackscrollError, openStore } from '../../../src/index.ts'
import { options, print } from './ready.ts'

/** What a guest is told: which databases, and whose conversation in each. */
export interface GuestOptions {
  readonly urls: readonly string[]
  readonly userId: string
  readonly conversationId: string
}

/** What came of a call: what it gave, or its error. */
export interface Outcome {
  readonly gave?: unknown
  readonly code?: string
  readonly cause?: string
}

/** Opens databases as somebody who is not root, appends, loads, and prints what came of it: a list a database. */
const { urls, userId, conversationId } = options<GuestOptions>()
const turn = [{ role: 'user', content: 'x' }] as const
// So that all is loaded that it takes: "nobody" may not even be let into the folder of this program.
await (await openStore('sqlite::memory:')).conversation({ userId, conversationId }).append(turn)
// Root may do to a file whatever it likes; "nobody" may do what the file allows.
if (process.getuid?.() === 0) process.seteuid?.(65_534)
for (const url of urls) print(await visit(url))

async function visit(url: string): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  try {
    await using store = await openStore(url, { migrate: false })
    const conversation = store.conversation({ userId, conversationId })
    outcomes.push(await outcomeOf(async () => (await conversation.append(turn)).position))
    outcomes.push(
      await outcomeOf(async () => (await conversation.loadWindow({ maxTokens: 100_000 })).turns.length),
    )
  } catch (error) {
    outcomes.push(failure(error))
  }
  return outcomes
}

async function outcomeOf(call: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { gave: await call() }
  } catch (error) {
    return failure(error)
  }
}

function failure(error: unknown): Outcome {
  if (!(error instanceof BackscrollError)) throw error
  return { code: error.code, cause: (error.cause as { code: string }).code }
}
