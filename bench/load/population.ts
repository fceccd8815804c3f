import type { Filling } from '../harness/fill.ts'
import type { Random } from '../harness/texts.ts'
import { zipfRanks } from './zipf.ts'

/** How many people talk, and how much. */
export interface PopulationSize {
  readonly users: number
  /** Of all users together; a multiple of `users`. */
  readonly conversations: number
  /** Turns of the longest conversation. */
  readonly longest: number
}

/**
 * Users and their conversations. A conversation is known by its rank: 0 is the longest and the one that is used most. By
 * Zipf's law with the exponent 1, the conversation of rank r has `longest / (r + 1)` turns, and one at least.
 */
export class Population {
  readonly #size: PopulationSize
  readonly #user: (random: Random) => number
  readonly #oneOfTheirs: (random: Random) => number

  constructor(size: PopulationSize) {
    this.#size = size
    this.#user = zipfRanks(size.users)
    this.#oneOfTheirs = zipfRanks(size.conversations / size.users)
  }

  /** Every conversation by its rank, and how long it is. */
  fillings(): Filling[] {
    const { conversations, longest } = this.#size
    return Array.from({ length: conversations }, (_, rank) => {
      return { ...this.keyOf(rank), turns: Math.max(1, Math.round(longest / (rank + 1))) }
    })
  }

  keyOf(rank: number): { readonly userId: string; readonly conversationId: string } {
    return { userId: `user-${rank % this.#size.users}`, conversationId: `conversation-${rank}` }
  }

  /** The rank of a conversation: a user by Zipf's law, and one of theirs by the same. */
  pick(random: Random): number {
    return this.#user(random) + this.#size.users * this.#oneOfTheirs(random)
  }
}
