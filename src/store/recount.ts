import type { ConversationKey, Recounted, TurnCounts, TurnRange, TurnRow } from '../dialect/dialect.ts'
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
  #newestMessages: string | null = null
  readonly #encoder: Encoder
  readonly #counting: Counting
  readonly #decode: (row: TurnRow) => TurnRow

  constructor(encoder: Encoder, counting: Counting, decode: (row: TurnRow) => TurnRow) {
    this.#encoder = encoder
    this.#counting = counting
    this.#decode = decode
  }

  get recounted(): Recounted {
    return { rule: ruleName(this.#counting), turns: this.turns, newestMessages: this.#newestMessages }
  }

  /** Where to read on: behind the last turn that was added. */
  nextRange(): TurnRange {
    return { after: this.turns.at(-1)?.position, before: undefined, limit: TURNS_PER_READ }
  }

  *add(rows: readonly TurnRow[]): Steps<void> {
    for (const row of rows) {
      const { position, messages } = this.#decode(row)
      const count = yield* countTurn(decodeMessages(messages), this.#encoder, this.#counting)
      const cumulativeTokens = (this.turns.at(-1)?.cumulativeTokens ?? 0) + count.tokenCount
      this.turns.push({ position, ...count, cumulativeTokens })
      this.#newestMessages = row.messages
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
    const recount = new Recount(encoder, counting, (row) => texts.decodeTurn(key.conversationId, row))
    const list = () => dialect.listTurns(key, recount.nextRange())
    const read = () => calls.make(list, { effect: 'read', signal })
    const { head, turns } = await read()
    if (!head) return 0
    for (let rows = turns; rows.length > 0; rows = (await read()).turns)
      await inSlices(recount.add(rows), signal)
    const replace = () => dialect.replaceCounts(key, head, recount.recounted)
    const replaced = await calls.make(replace, { effect: 'repeatable', long: true, signal })
    return replaced ? recount.turns.length : undefined
  })
}
