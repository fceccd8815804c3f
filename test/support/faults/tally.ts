import type { Outcome } from './methods.ts'

/** Counts what was broken and what the calls came to, for the table in docs/reliability.md. */
export class Tally {
  readonly #title: string
  readonly #outcomes = new Map<string, number>()
  #faults = 0

  constructor(title: string) {
    this.#title = title
  }

  count(faults: number, { code }: Outcome): void {
    this.#faults += faults
    this.#outcomes.set(code, (this.#outcomes.get(code) ?? 0) + 1)
  }

  print(): void {
    const outcomes = [...this.#outcomes].map(([code, calls]) => `${calls} ${code}`).join(', ')
    console.log(`${this.#title}: ${this.#faults} faults injected; calls that met one: ${outcomes}`)
  }
}
