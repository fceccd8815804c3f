import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** A program of this folder that runs in a process of its own, killed when the test ends. */
export interface Program {
  readonly process: ChildProcess
  /** The next line that it prints, parsed as JSON; undefined when it prints no more. */
  next(): Promise<unknown>
  /** All lines that it still prints, until it ends. */
  rest(): Promise<unknown[]>
  /** Lets a program go on that waits for its start, so that several begin at the same moment. */
  go(): void
  /** Its exit code, or the signal that ended it. Fails the test when it printed an error. */
  ended(): Promise<number | NodeJS.Signals | null>
}

/** Starts `NAME.ts` with its arguments as JSON. It prints JSON, a line a value. */
export function start(name: string, options: object): Program {
  const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', file, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  let errors = ''
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()))
  // A program that died does not read any more; its exit code tells.
  child.stdin.on('error', () => {})
  const exit = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>

  const next = async () => {
    const { value, done } = await lines.next()
    return done ? undefined : (JSON.parse(value) as unknown)
  }
  return {
    process: child,
    next,
    async rest() {
      const values: unknown[] = []
      for (let value = await next(); value !== undefined; value = await next()) values.push(value)
      return values
    },
    go: () => void child.stdin.write('go\n'),
    async ended() {
      const [code, signal] = await exit
      if (errors !== '') throw new Error(`${name} printed an error:\n${errors}`)
      return code ?? signal
    },
  }
}

/** Starts a program several times; when all are ready, lets them go at the same moment. */
export async function startTogether(name: string, options: readonly object[]): Promise<Program[]> {
  const programs = options.map((each) => start(name, each))
  await Promise.all(programs.map((program) => program.next()))
  for (const program of programs) program.go()
  return programs
}
