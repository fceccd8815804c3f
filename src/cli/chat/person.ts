import type { Writer } from '../command.ts'

/** Who talks: somebody at a terminal, or a program through a pipe. */
export interface Person extends Disposable {
  readonly isAtTerminal: boolean
  /** Where replies are written, and nothing else where a program reads them. */
  readonly replies: Writer
  /** Where all the rest is written. */
  readonly notes: Writer
  /** What is said next; undefined when there is no more. */
  next(): Promise<string | undefined>
  /** Does what can be stopped: the signal aborts when it is. */
  during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>
  /** Whether the answer to a question is yes. Where nobody can be asked, it is not. */
  confirms(question: string): Promise<boolean>
}
