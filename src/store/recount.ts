import type { TurnCounts, TurnRange, TurnRow } from '../dialect/dialect.ts'
import { countTurn, type Counting } from '../tokens/count.ts'
import type { Encoder } from '../tokens/encoder.ts'
import type { Steps } from '../tokens/steps.ts'
import { decodeMessages } from './codec.ts'

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
