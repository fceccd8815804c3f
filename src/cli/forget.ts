import { createInterface } from 'node:readline'
import { CorruptDataError, MissingKeyError, type ConversationStore } from '../index.ts'
import { parseOptions, SHARED, SHARED_HELP, WrongArgumentsError } from './arguments.ts'
import { CommandError, EXIT, type Command, type Surroundings } from './command.ts'
import { databaseUrl, withExistingStore } from './database.ts'
import { counted, json } from './print.ts'

/** `backscroll forget`: erases all that is stored of a user. */
export const command: Command = {
  help: `Erases all conversations of a user, for good: turns, metadata and counts. On a terminal it asks first.

  backscroll forget --user ID [--yes] [--json]

${SHARED_HELP.database}
  --user ID            whose conversations. Needed: there is no default
  --yes                do not ask; needed where nobody can answer
${SHARED_HELP.json}
${SHARED_HELP.help}

A database's own log and its backups may hold what was erased for a while; see the database's documentation.

Exit codes: 0 erased; 1 not confirmed, or failed; 2 wrong arguments, or nobody to ask; 3 the database cannot be reached
or used now; 4 nothing is stored of this user; 130 interrupted.

  backscroll forget --user ada
  backscroll forget --user ada --yes --json`,

  async run(args, surroundings) {
    const { database, user, yes, json: asJson } = parseOptions(args, OPTIONS).values
    if (user === undefined) throw new WrongArgumentsError('--user ID is needed: there is no default.')
    const { output, signal } = surroundings
    const url = databaseUrl(database, surroundings)
    const erased = await withExistingStore({ url }, surroundings, async (store) => {
      // Looked at first, so that nobody is asked about what is not there.
      if (!(await isAnythingStored(store, user, signal)))
        throw new CommandError(EXIT.notFound, 'Nothing is stored of this user.')
      if (!yes) await confirm(user, surroundings)
      return store.forgetUser(user, { signal })
    })
    const { conversations, turns } = erased
    const line = `Erased: ${counted(conversations, 'conversation')}, ${counted(turns, 'turn')}.`
    output.write(`${asJson ? json({ userId: user, conversations, turns }) : line}\n`)
  },
}

const OPTIONS = {
  database: SHARED.database,
  user: { type: 'string' },
  yes: { type: 'boolean', default: false },
  json: SHARED.json,
} as const

/** What cannot be read, since its key is gone for one, is there to be erased. */
async function isAnythingStored(
  store: ConversationStore,
  user: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return (await store.listConversations(user, { limit: 1, signal })).length > 0
  } catch (error) {
    if (error instanceof MissingKeyError || error instanceof CorruptDataError) return true
    throw error
  }
}

async function confirm(user: string, { input, errors, signal }: Surroundings): Promise<void> {
  if (!input.isTTY) throw new WrongArgumentsError('Nobody can be asked here: give --yes to erase.')
  errors.write('This erases all conversations of the user. Type the user id to confirm: ')
  const answer = await readLine(input, signal)
  // Without a line the cursor still stands behind the question.
  if (answer === undefined) errors.write('\n')
  signal.throwIfAborted()
  if (answer !== user) throw new CommandError(EXIT.failed, 'Not confirmed; nothing was erased.')
}

/** Undefined when the input ends, or the signal aborts, before there is a line. */
async function readLine(input: NodeJS.ReadableStream, signal: AbortSignal): Promise<string | undefined> {
  // Not as a terminal: readline would keep Ctrl-C to itself.
  const lines = createInterface({ input, terminal: false, signal })
  try {
    for await (const line of lines) return line
    return undefined
  } finally {
    lines.close()
  }
}
