/** What the exit code of the command line says. */
export const EXIT = {
  done: 0,
  failed: 1,
  wrongArguments: 2,
  /** The database cannot be reached, or not be used now: it is not there, locked, or its tables are outdated. */
  unavailable: 3,
  /** There is no such conversation, or the user has none. */
  notFound: 4,
  /** By Ctrl-C, as shells count it: 128 and the signal's number. */
  interrupted: 130,
} as const

/** One of the codes of {@link EXIT}. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** Where text is written: standard output or standard error, or what stands for it in a test. */
export type Writer = NodeJS.WritableStream & {
  readonly isTTY?: boolean
  /** The width of the terminal, in characters. */
  readonly columns?: number
}

/** What a command has around it: the process's own streams, or those of a test. */
export interface Surroundings {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly output: Writer
  /** Standard error: errors, progress, questions. So what is on `output` can be read by a program. */
  readonly errors: Writer
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Aborts at the first Ctrl-C; give it to every call of the store. A second Ctrl-C ends the process. */
  readonly signal: AbortSignal
}

/**
 * One of the commands of `backscroll`: each is a file of its own, which exports it as `command` and is loaded when it is
 * called for. It is done when `run` returns; when it cannot be done, `run` throws.
 *
 * The message of a {@link CommandError} and of a `BackscrollError` is printed as the one line of the error. Of any other
 * error only the name and the code are, since its message may hold a path or what someone wrote.
 */
export interface Command {
  /** What `backscroll COMMAND --help` prints. */
  readonly help: string
  run(args: readonly string[], surroundings: Surroundings): Promise<void>
}

/** Why a command is not done, in one line that repeats no value, and the exit code that says it to a program. */
export class CommandError extends Error {
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string) {
    super(message)
    this.exitCode = exitCode
  }
}
