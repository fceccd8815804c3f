import { parseOptions, wholeNumber, WrongArgumentsError } from '../src/cli/arguments.ts'

/** What the demo was asked to do. */
export interface Arguments {
  /** `sqlite:PATH` or `postgres://…`; undefined for a new file in a temporary folder. */
  readonly database: string | undefined
  /** Recorded conversations to store; undefined for the examples. */
  readonly file: string | undefined
  readonly keep: boolean
  /** Tokens. */
  readonly limit: number
  readonly turns: number
}

export const HELP = `Shows what backscroll does, on a real database. Needs no key and no server.

  npm run demo                     the example of two turns, then 100,000 turns in one conversation
  npm run demo -- FILE.jsonl       stores recorded conversations, shows what a model would be given of them

  --database URL   sqlite:PATH or postgres://…; it is kept. Default: a file that is removed at the end
  --keep           keep that file
  --limit N        the most tokens of history. Default: 2000
  --turns N        turns of the long conversation, 100 or more. Default: 100000
  --help           this text

FILE.jsonl is any file that "backscroll import" takes, such as a conversation a line: {"user_id": …,
"conversation_id": …, "messages": […]}, the messages in OpenAI chat form. Stored twice in the same database, it is
there once.

npm prints the command that it runs. Leave a password out of the URL and give it in PGPASSWORD.`

const OPTIONS = {
  database: { type: 'string' },
  keep: { type: 'boolean' },
  limit: { type: 'string' },
  turns: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** @throws {WrongArgumentsError} for anything that HELP does not list. */
export function parseArguments(args: readonly string[]): Arguments | 'help' {
  const { values, positionals } = parseOptions(args, OPTIONS, { positionals: 1 })
  if (values.help) return 'help'
  const [file] = positionals
  // Such a FILE is a URL whose --database was forgotten; "no such file" would print it, password included.
  if (file !== undefined && /^\w+:/.test(file)) {
    throw new WrongArgumentsError('FILE is a path. Name a database with --database URL.')
  }
  if (file !== undefined && values.turns !== undefined) {
    throw new WrongArgumentsError('--turns has no use with FILE.')
  }
  return {
    database: values.database === undefined ? undefined : checkUrl(values.database),
    file,
    keep: values.keep ?? false,
    limit: values.limit === undefined ? 2000 : wholeNumber('--limit', values.limit, 0),
    // Below 100 the long conversation would be shorter than the short one.
    turns: values.turns === undefined ? 100_000 : wholeNumber('--turns', values.turns, 100),
  }
}

function checkUrl(given: string): string {
  // The library takes sqlite://PATH as well.
  const url = given.replace(/^sqlite:\/\//, 'sqlite:')
  // The example is loaded by another process, which could not see a database in this one's memory.
  if (/^sqlite:./.test(url) && url !== 'sqlite::memory:') return url
  if (/^postgres(ql)?:\/\/./.test(url)) return url
  throw new WrongArgumentsError('--database takes sqlite:PATH or postgres://….')
}
