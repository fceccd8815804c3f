import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough, Readable, type Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { WriteStream } from 'node:tty'
import { fileURLToPath } from 'node:url'
import { run } from '../../src/cli/run.ts'

/** What a command line printed, and how it ended. */
export interface Ended {
  readonly code: number
  readonly output: string
  readonly errors: string
}

/** What a command line finds around it. */
export interface Around {
  /** What is typed or piped in; by default nothing. */
  readonly input?: string
  /** Variables besides those of the tests' own environment; undefined takes one away. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** The folder that it runs in. */
  readonly folder?: string
}

/** `backscroll …` as a process that runs. */
export type Started = ChildProcessByStdio<Writable, Readable, Readable> & {
  /** Resolves when it has ended; 128 and the signal's number where a signal ended it. */
  readonly ended: Promise<Ended>
}

/** Starts `backscroll …` as a process of its own, from the sources. Its input stays open until it is ended. */
export function startCli(
  args: readonly string[],
  { environment = {}, folder }: Omit<Around, 'input'> = {},
): Started {
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, ...args], {
    env: { ...process.env, FORCE_COLOR: undefined, BACKSCROLL_DATABASE: undefined, ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: folder,
    // One that hangs fails its test, and is not to outlive it.
    timeout: 55_000,
    killSignal: 'SIGKILL',
  })
  // The program may end before it has read what it is given.
  child.stdin.on('error', () => {})
  const ended = Promise.all([once(child, 'close'), read(child.stdout), read(child.stderr)]).then(
    ([[code, signal], output, errors]) => ({
      code: (code as number | null) ?? SIGNALS[signal as string] ?? -1,
      output,
      errors,
    }),
  )
  return Object.assign(child, { ended })
}

/** All of it, or nothing where a test stopped reading. */
function read(stream: Readable): Promise<string> {
  return text(stream).catch(() => '')
}

const SIGNALS: Readonly<Record<string, number>> = { SIGINT: 130, SIGKILL: 137, SIGTERM: 143 }

/** Runs `backscroll …` as a process of its own, to its end. */
export function runCli(args: readonly string[], { input = '', ...around }: Around = {}): Promise<Ended> {
  const started = startCli(args, around)
  started.stdin.end(input)
  return started.ended
}

/** A command line that runs here, without a process: quicker, and its terminal is a pretended one. */
export interface Here extends Pick<Around, 'environment'> {
  /** What is typed or piped in, all at once or as it comes; by default nothing. */
  readonly input?: string | AsyncIterable<string>
  /** The width of the terminal that input, output and errors are; by default they are none. */
  readonly columns?: number
  readonly signal?: AbortSignal
}

/** Runs `backscroll …` in this process, to its end. */
export async function runHere(
  args: readonly string[],
  { input = '', environment = {}, columns, signal = new AbortController().signal }: Here = {},
): Promise<Ended> {
  const terminal =
    columns === undefined ? {} : { isTTY: true, columns, getColorDepth: () => colorDepth(environment) }
  const output = Object.assign(new PassThrough(), terminal)
  const errors = Object.assign(new PassThrough(), terminal)
  const printed = Promise.all([text(output), text(errors)])
  const code = await run(args, {
    input: Object.assign(Readable.from(typeof input === 'string' ? [input] : input), terminal),
    output,
    errors,
    environment,
    signal,
  })
  output.end()
  errors.end()
  const [outputText, errorText] = await printed
  return { code, output: outputText, errors: errorText }
}

/** How many colours a terminal has by what the environment says, as Node finds out. */
function colorDepth(environment: Here['environment']): number {
  return WriteStream.prototype.getColorDepth.call(null, { TERM: 'xterm-256color', ...environment })
}
