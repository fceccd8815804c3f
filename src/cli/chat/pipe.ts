import { createInterface, type Interface } from 'node:readline'
import type { Surroundings, Writer } from '../command.ts'
import type { Person } from './person.ts'

/** A program that talks through a pipe: a line is a message. */
export class Pipe implements Person {
  readonly isAtTerminal = false
  readonly replies: Writer
  readonly notes: Writer
  readonly #signal: AbortSignal
  readonly #lines: Interface
  readonly #messages: AsyncIterator<string>

  constructor({ input, output, errors, signal }: Surroundings) {
    this.replies = output
    this.notes = errors
    this.#signal = signal
    this.#lines = createInterface({ input, terminal: false, crlfDelay: Infinity, signal })
    // At once: lines that come before somebody listens are lost.
    this.#messages = this.#lines[Symbol.asyncIterator]()
  }

  async next(): Promise<string | undefined> {
    const { done, value } = await this.#messages.next()
    return done ? undefined : value
  }

  during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return work(this.#signal)
  }

  async confirms(): Promise<boolean> {
    return false
  }

  [Symbol.dispose](): void {
    this.#lines.close()
  }
}
