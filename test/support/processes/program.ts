import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** A program of this folder that runs in a process of its own. */
export interface Program {
  readonly process: ChildProcess
  /** What it has printed as errors so far. */
  readonly errors: string
  /** The next line that it prints, parsed as JSON; undefined when it prints no more. */
  next(): Promise<unknown>
  /** All lines that it still prints, until it ends. */
  rest(): Promise<unknown[]>
  /** Its exit code, or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals | null>
}

/** Runs `NAME.ts` with its arguments as JSON. It prints JSON, a line a value. Whoever runs it ends it. */
export function run(name: string, options: object): Program {
  const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', file, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  let errors = ''
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()))
  // A program that died does not read any more; its exit code tells.
  child.stdin.on('error', () => {})
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>

  const next = async () => {
    const { value, done } = await lines.next()
    return done ? undefined : (JSON.parse(value) as unknown)
  }
  return {
    process: child,
    get errors() {
      return errors
    },
    next,
    async rest() {
      const values: unknown[] = []
      for (let value = await next(); value !== undefined; value = await next()) values.push(value)
      return values
    },
    exit: closed.then(([code, signal]) => code ?? signal),
  }
}
