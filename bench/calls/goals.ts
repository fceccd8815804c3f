import { ratioOf } from '../harness/measure.ts'
import type { Table } from '../harness/report.ts'
import type { Times } from './compare.ts'

/** What is compared with what, and the most that the ratio of the medians is to be. */
interface Goal {
  readonly goal: string
  readonly most: number
  worst: number
}

/** How far what was measured is from what it is to be: of each goal, the worst ratio that was seen. */
export class Goals {
  readonly #goals = new Map<string, Goal>()

  /** Notes a ratio of two subjects' medians under the goal that it belongs to. */
  note(goal: string, most: number, times: Times, [subject, floor]: readonly [string, string]): void {
    const worst = this.#goals.get(goal)?.worst ?? 0
    this.#goals.set(goal, { goal, most, worst: Math.max(worst, ratioOf(times[subject]!, times[floor]!)) })
  }

  rows(): Table['rows'] {
    return [...this.#goals.values()].map(({ goal, most, worst }) => ({
      goal,
      'at most': most,
      'at worst': worst,
      reached: worst <= most,
    }))
  }
}
