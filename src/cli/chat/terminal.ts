import { createInterface, type Interface } from 'node:readline'
import type { Surroundings, Writer } from '../command.ts'
import { faint, title } from '../print.ts'
import type { Person } from './person.ts'
import { printable } from './printable.ts'
import { Screen } from './screen.ts'

/** Stands before what follows the first line of a text that is pasted. */
const MORE = '...> '

/** Has the terminal mark what is pasted, so that its line breaks are not taken for Enter. */
const MARK_PASTES = '\u001b[?2004h'
const MARK_PASTES_NO_MORE = '\u001b[?2004l'

/**
 * Somebody at a terminal. What is typed while something else goes on is not shown before its turn: a message that was
 * sent is answered next, what was begun stands at the next prompt. Several lines that are pasted are one message, which
 * Enter sends.
 *
 * Ctrl-C stops what goes on, and again leaves; at the prompt the first one says so. Ctrl-D leaves.
 */
export class Terminal implements Person {
  readonly isAtTerminal = true
  readonly replies: Writer
  readonly notes: Writer
  readonly #input: Surroundings['input']
  readonly #signal: AbortSignal
  readonly #screen: Screen
  readonly #lines: Interface
  readonly #you: string
  /** Sent, and not taken yet. */
  #messages: string[] = []
  /** Lines of a paste that is not sent yet. */
  #pasted: string[] = []
  #isPasting = false
  #isWarned = false
  #isClosed = false
  /** Stops what goes on. */
  #work: AbortController | undefined
  /** Gives a message to who waits for one. */
  #give: ((message: string | undefined) => void) | undefined

  constructor({ input, output, signal }: Surroundings) {
    this.replies = output
    this.notes = output
    this.#input = input
    this.#signal = signal
    this.#you = title('you> ', output)
    this.#screen = new Screen(output)
    // One for the whole chat: without it the terminal would turn Ctrl-C into a signal, which ends the process.
    this.#lines = createInterface({ input, output: this.#screen, terminal: true, signal })
    this.#lines.on('line', (line) => this.#onLine(line))
    this.#lines.on('SIGINT', () => this.#onInterrupt())
    this.#lines.on('close', () => this.#onClose())
    // After Ctrl-Z and fg: it comes back deaf.
    this.#lines.on('SIGCONT', () => this.#lines.resume())
    input.on('keypress', this.#onKey)
    output.write(MARK_PASTES)
  }

  async next(): Promise<string | undefined> {
    const message = this.#messages.shift()
    if (message === undefined) return this.#read(this.#you)
    this.notes.write(`${this.#you}${printable(message)}\n`)
    return message
  }

  async during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#work = new AbortController()
    try {
      return await work(AbortSignal.any([this.#work.signal, this.#signal]))
    } finally {
      this.#work = undefined
    }
  }

  async confirms(question: string): Promise<boolean> {
    return (await this.#read(`${question} Type yes: `))?.trim() === 'yes'
  }

  [Symbol.dispose](): void {
    this.#input.off('keypress', this.#onKey)
    this.#lines.close()
    this.notes.write(MARK_PASTES_NO_MORE)
  }

  async #read(prompt: string): Promise<string | undefined> {
    if (this.#isClosed) return undefined
    // Taken away unseen and typed again: readline would clear as many lines as it took up, and a reply stands there now.
    const begun = this.#takeLine()
    this.#screen.isShown = true
    for (const [index, line] of this.#pasted.entries())
      this.notes.write(`${index === 0 ? prompt : MORE}${printable(line)}\n`)
    this.#askFor(this.#pasted.length === 0 ? prompt : MORE)
    this.#lines.write(begun)
    return new Promise((resolve) => (this.#give = resolve))
  }

  #askFor(prompt: string): void {
    this.#lines.setPrompt(prompt)
    this.#lines.prompt()
  }

  #takeLine(): string {
    const { line } = this.#lines
    this.#lines.write(null, { ctrl: true, name: 'e' })
    this.#lines.write(null, { ctrl: true, name: 'u' })
    return line
  }

  readonly #onKey = (_: unknown, { name, ctrl }: { name?: string; ctrl?: boolean }): void => {
    // Who types goes on talking: only Ctrl-C twice in a row leaves.
    if (!(ctrl && name === 'c')) this.#isWarned = false
    if (name === 'paste-start') this.#isPasting = true
    if (name === 'paste-end') this.#isPasting = false
  }

  #onLine(line: string): void {
    if (this.#isPasting) {
      this.#pasted.push(line)
      if (this.#give) this.#askFor(MORE)
      return
    }
    const message = [...this.#pasted, line].join('\n')
    this.#pasted = []
    this.#isWarned = false
    if (this.#give) this.#settle(message)
    else this.#messages.push(message)
  }

  #onInterrupt(): void {
    // Whoever stops a reply does not want the next ones either.
    this.#messages = []
    this.#pasted = []
    this.#isPasting = false
    if (this.#isWarned || this.#work?.signal.aborted) this.#lines.close()
    else if (this.#work) this.#stop(this.#work)
    else this.#warn()
  }

  #stop(work: AbortController): void {
    work.abort()
    this.#takeLine()
    this.#giveUp()
  }

  #warn(): void {
    this.#isWarned = true
    this.#takeLine()
    this.notes.write(`\n${faint('Ctrl-C again leaves, and so does /quit.', this.notes)}\n`)
    this.#askFor(this.#you)
  }

  #onClose(): void {
    this.#isClosed = true
    this.#giveUp()
  }

  /** Nobody answers what is waited for. */
  #giveUp(): void {
    if (!this.#give) return
    this.notes.write('\n')
    this.#settle(undefined)
  }

  #settle(message: string | undefined): void {
    this.#screen.isShown = false
    this.#give?.(message)
    this.#give = undefined
  }
}
