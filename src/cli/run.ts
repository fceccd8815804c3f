import { readFileSync } from 'node:fs'
import {
  BackscrollError,
  DatabaseUnavailableError,
  InvalidArgumentError,
  NotMigratedError,
} from '../errors.ts'
import { reduceCause } from '../redact.ts'
import { parseOptions, WrongArgumentsError } from './arguments.ts'
import { CommandError, EXIT, type ExitCode, type Surroundings } from './command.ts'
import { COMMANDS } from './commands.ts'
import { oneLine } from './print.ts'

/** Runs a command line, without the name of the program, and gives its exit code. An error is one line. */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<ExitCode> {
  const [name, ...rest] = args
  try {
    if (name === undefined || name.startsWith('-')) runWithoutCommand(args, surroundings)
    else await runCommand(name, rest, surroundings)
    return EXIT.done
  } catch (error) {
    const exitCode = surroundings.signal.aborted ? EXIT.interrupted : exitCodeOf(error)
    const see = exitCode === EXIT.wrongArguments ? ` See: ${helpCall(name)}` : ''
    surroundings.errors.write(`backscroll: ${reason(error, surroundings)}${see}\n`)
    return exitCode
  }
}

function runWithoutCommand(args: readonly string[], { output }: Surroundings): void {
  const { values } = parseOptions(args, {
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean', short: 'v' },
  })
  if (values.version) output.write(`${version()}\n`)
  else if (values.help) output.write(`${help()}\n`)
  else throw new WrongArgumentsError('A command is missing.')
}

async function runCommand(name: string, args: readonly string[], surroundings: Surroundings): Promise<void> {
  const listed = COMMANDS.get(name)
  // Not repeated: it may be a URL whose --database was forgotten.
  if (!listed)
    throw new WrongArgumentsError(`There is no such command; there are ${[...COMMANDS.keys()].join(', ')}.`)
  const { command } = await listed.load()
  if (asksForHelp(args)) surroundings.output.write(`${command.help}\n`)
  else await command.run(args, surroundings)
}

/** Even among options that are wrong: who asks for help does not know them. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return args.slice(0, end === -1 ? undefined : end).some((arg) => arg === '--help' || arg === '-h')
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommandError) return error.exitCode
  if (error instanceof DatabaseUnavailableError || error instanceof NotMigratedError) return EXIT.unavailable
  return error instanceof InvalidArgumentError ? EXIT.wrongArguments : EXIT.failed
}

function reason(error: unknown, { signal }: Surroundings): string {
  if (error instanceof NotMigratedError) {
    return "backscroll's tables are missing or outdated in this database. Run: backscroll migrate (on Postgres this role also needs usage on their schema, and the schema on its search_path)"
  }
  if (error instanceof CommandError || error instanceof BackscrollError) return oneLine(error)
  if (signal.aborted) return 'Interrupted.'
  const { name, code } = reduceCause(error)
  return `Failed by an unforeseen ${name}${code === undefined ? '' : ` (${code})`}.`
}

function helpCall(name: string | undefined): string {
  return name !== undefined && COMMANDS.has(name) ? `backscroll ${name} --help` : 'backscroll --help'
}

function version(): string {
  // As far from the sources as from what they are built to.
  const about = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return about.version
}

function help(): string {
  const commands = [...COMMANDS].map(([name, { summary }]) => `  ${name.padEnd(9)} ${summary}`)
  return `Conversation memory in SQL, from the terminal.

  backscroll COMMAND [options]

${commands.join('\n')}

  backscroll COMMAND --help   its options and examples
  --help                      this text
  --version                   ${version()}

The database is --database URL, else the environment's BACKSCROLL_DATABASE, else the file backscroll.db here.

Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 the database cannot be reached or used now, 4 no such conversation
or user, 130 interrupted.`
}
