import { addAbortSignal, type Readable } from 'node:stream'
import {
  CorruptDataError,
  InvalidIdError,
  MissingKeyError,
  type ConversationStore,
  type Reencrypted,
} from '../index.ts'
import { fileToRead } from '../transfer/files.ts'
import { linesOf } from '../transfer/text-lines.ts'
import { parseOptions, SHARED, SHARED_HELP, WrongArgumentsError } from './arguments.ts'
import { CommandError, EXIT, type Command, type Surroundings } from './command.ts'
import { databaseOf, withExistingStore } from './database.ts'
import { count, counted, json, oneLine } from './print.ts'

/** `backscroll reencrypt`: encrypts with the current key what is encrypted with another. */
export const command: Command = {
  help: `Encrypts anew, with the codec's current key, what users said under another key, or before there was a codec that
accepts that. What is current stays as it is: run again, it does what is left to do. Apps may go on meanwhile.

  backscroll reencrypt --codec FILE (--user ID | --users FILE) [--json]

${SHARED_HELP.database}
${SHARED_HELP.codec}
  --user ID            whose texts
  --users FILE         the texts of all these users: an id a line; - is standard input
${SHARED_HELP.json}
${SHARED_HELP.help}

No statement of backscroll reads across users, so the list is yours to make, as by:
  select distinct user_id from backscroll_conversations
Under row-level security that finds nobody, unless a superuser runs it, or a role with BYPASSRLS.

A user whose texts cannot be read is named by the line in FILE, and it goes on with the others.

To rotate: give every app the new key, then make it current everywhere, then run this, then take the old key away.

Exit codes: 0 done; 1 failed, also for one user of the list, or when it names none; 2 wrong arguments; 3 the database
cannot be reached or used now; 130 interrupted: what was encrypted anew stays.

  backscroll reencrypt --codec ./codec.js --user ada
  psql -Atc 'select distinct user_id from backscroll_conversations' | backscroll reencrypt --users -`,

  async run(args, surroundings) {
    const { values } = parseOptions(args, OPTIONS)
    const { user, users } = values
    if ((user === undefined) === (users === undefined))
      throw new WrongArgumentsError('Give --user ID or --users FILE.')
    const database = await databaseOf(values, surroundings)
    if (!database.codec) throw new WrongArgumentsError('--codec FILE is needed, or BACKSCROLL_CODEC.')
    const totals = await withExistingStore(database, surroundings, async (store) =>
      users === undefined
        ? { users: 1, ...(await store.reencrypt(String(user), surroundings)), failed: 0 }
        : reencryptEach(store, await idsIn(users, surroundings), surroundings),
    )
    // A list that could not be made is empty too, and a key taken away after it would take the texts along.
    if (totals.users === 0) throw new CommandError(EXIT.failed, NO_USERS)
    surroundings.output.write(`${values.json ? json(totals) : report(totals)}\n`)
    if (totals.failed > 0) {
      throw new CommandError(
        EXIT.failed,
        `What was stored of ${counted(totals.failed, 'user')} could not be read; the lines above say why.`,
      )
    }
  },
}

const NO_USERS =
  'The list names no user: nothing was encrypted anew. Was it made by the owner of tables with row-level security, who ' +
  'sees no rows?'

const OPTIONS = {
  database: SHARED.database,
  codec: SHARED.codec,
  user: { type: 'string' },
  users: { type: 'string' },
  json: SHARED.json,
} as const

interface Totals extends Reencrypted {
  readonly users: number
  /** Users whose texts could not be read. */
  readonly failed: number
}

async function idsIn(file: string, { input, signal }: Surroundings): Promise<AsyncIterable<string>> {
  if (file === '-') return linesOf(addAbortSignal(signal, input as Readable))
  return linesOf((await fileToRead(file, { signal })).chunks)
}

async function reencryptEach(
  store: ConversationStore,
  ids: AsyncIterable<string>,
  { errors, signal }: Surroundings,
): Promise<Totals> {
  const totals = { users: 0, conversations: 0, turns: 0, failed: 0 }
  let line = 0
  for await (const userId of ids) {
    line++
    if (userId === '') continue
    totals.users++
    try {
      const { conversations, turns } = await store.reencrypt(userId, { signal })
      totals.conversations += conversations
      totals.turns += turns
    } catch (error) {
      if (!isOfOneUser(error)) throw error
      totals.failed++
      errors.write(`Line ${count(line)}: ${oneLine(error)}\n`)
    }
  }
  return totals
}

/** The others of the list may be in order. */
function isOfOneUser(error: unknown): boolean {
  return (
    error instanceof MissingKeyError || error instanceof CorruptDataError || error instanceof InvalidIdError
  )
}

function report({ users, conversations, turns }: Totals): string {
  const what = `${counted(turns, 'turn')}, metadata of ${counted(conversations, 'conversation')}`
  return `Encrypted anew, of ${counted(users, 'user')}: ${what}.`
}
