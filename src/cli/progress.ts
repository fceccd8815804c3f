import { clearLine, cursorTo } from 'node:readline'
import { setImmediate } from 'node:timers/promises'
import type { Writer } from './command.ts'
import { count } from './print.ts'

/** Work that takes less shows no progress; then a terminal's line is redrawn this often. Milliseconds. */
const QUIET_MS = 1000
const REDRAW_MS = 100
/** Characters. */
const BAR = 30

/** How far work is, how fast, and how long it still takes: one line on a terminal, elsewhere a line for each quarter. */
export class Progress {
  done: number
  readonly #total: number
  readonly #from: number
  readonly #unit: string
  readonly #on: Writer
  readonly #start = performance.now()
  #nextMs = QUIET_MS
  #quarter: number

  constructor(total: number, { from, unit, on }: { from: number; unit: string; on: Writer }) {
    this.#total = total
    this.#from = from
    this.#unit = unit
    this.#on = on
    this.done = from
    this.#quarter = this.#quarters()
  }

  /** Gives way to the event loop, so that a signal is heard. */
  async to(done: number): Promise<void> {
    this.done = done
    if (this.#ms() >= this.#nextMs && done < this.#total) {
      if (this.#on.isTTY) this.#redraw()
      else this.#printQuarter()
    }
    await setImmediate()
  }

  /** Clears the line; gives what was done, such as `99,900 turns in 24.2 s (4,128/s)`. */
  finish(): string {
    if (this.#nextMs > QUIET_MS) this.#clear()
    const done = `${count(this.done - this.#from)} ${this.#unit}`
    return `${done} in ${(this.#ms() / 1000).toFixed(1)} s (${count(this.#perSecond())}/s)`
  }

  #redraw(): void {
    this.#nextMs = this.#ms() + REDRAW_MS
    this.#clear()
    const full = Math.floor((this.done / this.#total) * BAR)
    this.#on.write(`${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${this.#line()}`)
  }

  #clear(): void {
    cursorTo(this.#on, 0)
    clearLine(this.#on, 0)
  }

  #printQuarter(): void {
    if (this.#quarters() === this.#quarter) return
    this.#quarter = this.#quarters()
    this.#on.write(`${this.#line()}\n`)
  }

  #line(): string {
    const percent = Math.floor((this.done / this.#total) * 100)
    const left = Math.ceil((this.#total - this.done) / this.#perSecond())
    const done = `${count(this.done)} of ${count(this.#total)} ${this.#unit}`
    return `${percent} %  ${done}  ${count(this.#perSecond())}/s  ${count(left)} s left`
  }

  #quarters(): number {
    return Math.floor((this.done / this.#total) * 4)
  }

  #ms(): number {
    return performance.now() - this.#start
  }

  #perSecond(): number {
    return ((this.done - this.#from) / this.#ms()) * 1000
  }
}
