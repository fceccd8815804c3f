import type { ConversationKey, TurnCounts, TurnRange, TurnRow } from '../dialect/dialect.ts'
import { countTurn, type Counting } from '../tokens/count.ts'
import { loadEncoder, type Encoder } from '../tokens/encoder.ts'
import { inSlices, type Steps } from '../tokens/steps.ts'
import { decodeMessages } from './codec.ts'
import type { ConversationContext } from './conversation-reader.ts'
import { untilSettled } from './restart.ts'
import { ruleName } from './rule.ts'
import type { UserTexts } from './texts.ts'

/** Turns that a recount reads at a time: enough to make reading cheap, few enough to hold in memory whatever they say. */
const TURNS_PER_READ = 200

/** New counts for a conversation's turns, added in order of position. */
export class Recount {
  readonly turns: TurnCounts[] = []
  readonly #encoder: Encoder
  readonly #counting: Counting

  constructor(encoder: Encoder, counting: Counting) {
    this.#encoder = encoder
    this.#counting = counting
  }

  /** Where to read on: behind the last turn that was added. */
  nextRange(): TurnRange {
    return { after: this.turns.at(-1)?.position, before: undefined, limit: TURNS_PER_READ }
  }

  *add(rows: readonly TurnRow[]): Steps<void> {
    for (const { position, messages } of rows) {
      const count = yield* countTurn(decodeMessages(messages), this.#encoder, this.#counting)
      const cumulativeTokens = (this.turns.at(-1)?.cumulativeTokens ?? 0) + count.tokenCount
      this.turns.push({ position, ...count, cumulativeTokens })
      yield
    }
  }
}

/**
 * Counts a conversation's turns anew, outside of any lock, and replaces all counts at once, on condition that the
 * conversation is still what was counted; else it starts again. Gives how many turns there are.
 */
export async function recountAll(
  { calls, dialect }: ConversationContext,
  key: ConversationKey,
  counting: Counting,
  { texts, signal }: { readonly texts: UserTexts; readonly signal: AbortSignal | undefined },
): Promise<number> {
  const encoder = await loadEncoder(counting.encoding)
  return untilSettled(async () => {
    const recount = new Recount(encoder, counting)
    const read = async () => {
      const list = () => dialect.listTurns(key, recount.nextRange())
      return texts.decodePage(key.conversationId, await calls.make(list, { effect: 'read', signal }))
    }
    const { head, turns } = await read()
    if (!head) return 0
    for (let rows = turns; rows.length > 0; rows = (await read()).turns)
      await inSlices(recount.add(rows), signal)
    const recounted = { rule: ruleName(counting), turns: recount.turns }
    const replace = () => dialect.replaceCounts(key, head, recounted)
    const replaced = await calls.make(replace, { effect: 'repeatable', long: true, signal })
    return replaced ? recount.turns.length : undefined
  })
}
