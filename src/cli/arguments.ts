import { parseArgs, type ParseArgsConfig } from 'node:util'
import { checkEncoding, encodingForModel, type EncodingName } from '../tokens/encodings.ts'
import { CommandError, EXIT } from './command.ts'

/** The command line is wrong. Its message never repeats a value: it may be a URL with a password, or someone's text. */
export class WrongArgumentsError extends CommandError {
  constructor(message: string) {
    super(EXIT.wrongArguments, message)
  }
}

type Options = NonNullable<ParseArgsConfig['options']>

/** What {@link parseOptions} gives: the value of each option, and what stands beside the options. */
export type Parsed<T extends Options> = ReturnType<
  typeof parseArgs<{ args: string[]; allowPositionals: true; options: T }>
>

/** Options that mean the same in every command that takes them. */
export const SHARED = {
  database: { type: 'string' },
  user: { type: 'string', default: 'me' },
  conversation: { type: 'string', default: 'chat' },
  json: { type: 'boolean', default: false },
  codec: { type: 'string' },
} as const

/** Their lines in a command's help, and that of `--help` itself. */
export const SHARED_HELP = {
  database: `  --database URL       sqlite:PATH or postgres://…. Default: BACKSCROLL_DATABASE of the environment, which keeps
                       a password from the list of processes, else sqlite:backscroll.db`,
  user: '  --user ID            whose conversations. Default: me',
  conversation: '  --conversation ID    which of them. Default: chat',
  json: '  --json               prints a JSON object, for a program to read',
  codec: `  --codec FILE         a JavaScript module whose \`codec\` decrypts what is stored, as the app that stored it has it.
                       Default: BACKSCROLL_CODEC of the environment`,
  help: '  --help               this text',
} as const

/**
 * Splits a command line as the options say.
 *
 * @param positionals the most arguments that may stand beside the options.
 * @throws {WrongArgumentsError}
 */
export function parseOptions<const T extends Options>(
  args: readonly string[],
  options: T,
  { positionals: most = 0 }: { positionals?: number } = {},
): Parsed<T> {
  const parsed = split(args, options)
  const { length } = parsed.positionals
  if (length <= most) return parsed
  throw new WrongArgumentsError(
    `Besides options it takes ${most || 'no'} argument${most === 1 ? '' : 's'}; got ${length}.`,
  )
}

function split<T extends Options>(args: readonly string[], options: T): Parsed<T> {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options })
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    // The sentences that follow say how an argument that begins with a dash is written.
    const [what = ''] = error.message.split(/\.\s/)
    throw new WrongArgumentsError(`${what.replace(/\.$/, '')}.`)
  }
}

/** A whole number of `least` or more. @throws {WrongArgumentsError} */
export function wholeNumber(name: string, text: string, least: number): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(number) && number >= least) return number
  throw new WrongArgumentsError(`${name} takes a whole number of ${least} or more.`)
}

/** A number from 0 to 1. @throws {WrongArgumentsError} */
export function ratio(name: string, text: string): number {
  const number = Number(text)
  if (/^[\d.]+$/.test(text) && number >= 0 && number <= 1) return number
  throw new WrongArgumentsError(`${name} takes a number from 0 to 1.`)
}

/** How turns are counted, as options. Without them it is what is recorded with the conversation, or the default. */
export const COUNTING = {
  encoding: { type: 'string' },
  model: { type: 'string' },
  framing: { type: 'string' },
} as const

/** What {@link COUNTING} says; undefined for what was not given. Passes to `store.conversation` and `recount` as it is. */
export interface ChosenCounting {
  readonly encoding: EncodingName | undefined
  readonly framing: 'text' | 'chat' | undefined
}

/**
 * How turns are to be counted, as far as the options say.
 *
 * @throws {WrongArgumentsError} for an encoding beside a model, or another framing.
 * @throws {InvalidArgumentError} for a name that is not known.
 */
export function chosenCounting(values: {
  readonly encoding?: string | undefined
  readonly model?: string | undefined
  readonly framing?: string | undefined
}): ChosenCounting {
  const { encoding, model, framing } = values
  if (encoding !== undefined && model !== undefined) {
    throw new WrongArgumentsError('--model names an encoding: give --encoding or --model.')
  }
  return {
    encoding: model === undefined ? encodingNamed(encoding) : encodingForModel(model),
    framing: framing === undefined ? undefined : oneOf('--framing', framing, ['text', 'chat']),
  }
}

function encodingNamed(name: string | undefined): EncodingName | undefined {
  return name === undefined ? undefined : checkEncoding(name)
}

function oneOf<const T extends string>(option: string, text: string, words: readonly T[]): T {
  const word = words.find((known) => known === text)
  if (word !== undefined) return word
  throw new WrongArgumentsError(`${option} takes ${words.join(' or ')}.`)
}
