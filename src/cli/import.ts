import { basename } from 'node:path'
import { addAbortSignal, type Readable } from 'node:stream'
import type { ConversationStore } from '../index.ts'
import { fileToRead, type FileToRead } from '../transfer/files.ts'
import { importConversations, type ImportOptions, type ImportTotals } from '../transfer/import.ts'
import {
  chosenCounting,
  COUNTING,
  parseOptions,
  SHARED,
  SHARED_HELP,
  WrongArgumentsError,
} from './arguments.ts'
import { CommandError, EXIT, type Command, type Surroundings } from './command.ts'
import { databaseOf, withStore } from './database.ts'
import { abridged, count, counted, json } from './print.ts'
import { Progress } from './progress.ts'

/** `backscroll import`: stores the conversations of a file. */
export const command: Command = {
  help: `Stores the conversations of a file, each turn once: run again, it adds nothing.

  backscroll import FILE [--user ID] [--conversation ID] [--model NAME | --encoding NAME] [--framing text|chat] [--json]

FILE is - for standard input. What is in it is told by its content:
  OpenAI chat form     {"messages": […]}, with "user_id" and "conversation_id" or without: recordings, fine-tuning,
                       other databases; "times", one for each message, go into the turns' metadata, as created_at
  backscroll export    a turn a line; its time goes into the turn's metadata, as created_at
  ChatGPT's export     conversations.json of the unpacked archive, or conversations-000.json and its others: the
                       branches that were seen last, without what ChatGPT hides; a picture becomes [image]
A record a line, or one JSON array. It stops at the first record that is wrong, and names it.

${SHARED_HELP.database}
${SHARED_HELP.codec}
  --user ID            whose conversations, where FILE does not say. Default: me
  --conversation ID    which of them, where FILE does not say. Default: one a record, FILE:NUMBER
  --encoding NAME      gpt2, r50k_base, p50k_base, p50k_edit, cl100k_base or o200k_base. Default: as a conversation that
                       is there was counted; o200k_base for a new one
  --model NAME         the encoding of this model, such as gpt-4o
  --framing text|chat  text: one line a message, with the prefixes Human and AI; chat: OpenAI's chat form, in which
                       only text can be counted here. Default: as a conversation that is there; text for a new one
${SHARED_HELP.json}
${SHARED_HELP.help}

Exit codes: 0 done; 1 failed, also when FILE cannot be read or a record is wrong; 2 wrong arguments; 3 the database
cannot be reached or used now; 130 interrupted: what was imported stays, and running it again
goes on from there.

  backscroll import conversations.json
  backscroll export --user ada | backscroll import - --database postgres://localhost/chat`,

  async run(args, surroundings) {
    const { values, positionals } = parseOptions(args, OPTIONS, { positionals: 1 })
    const [file] = positionals
    if (file === undefined) throw new WrongArgumentsError('FILE is missing; - is standard input.')
    const options = {
      userId: values.user,
      conversationId: values.conversation,
      sourceName: file === '-' ? 'stdin' : basename(file),
      ...chosenCounting(values),
    }
    const source = await open(file, surroundings)
    const totals = await withStore(await databaseOf(values, surroundings), surroundings, (store) =>
      importAll(store, source, options, surroundings),
    )
    surroundings.output.write(`${values.json ? json(facts(totals)) : report(totals)}\n`)
  },
}

const OPTIONS = {
  database: SHARED.database,
  codec: SHARED.codec,
  user: SHARED.user,
  conversation: { type: 'string' },
  json: SHARED.json,
  ...COUNTING,
} as const

async function open(file: string, { input, signal }: Surroundings): Promise<FileToRead> {
  if (file !== '-') return fileToRead(file, { signal })
  return { size: 0, chunks: addAbortSignal(signal, input as Readable) }
}

async function importAll(
  store: ConversationStore,
  { size, chunks }: FileToRead,
  options: ImportOptions,
  { errors, signal }: Surroundings,
): Promise<ImportTotals> {
  const progress = new Progress(size, { from: 0, unit: 'bytes', on: errors })
  const afterTurn = async ({ bytes }: ImportTotals) => {
    await progress.to(bytes)
    signal.throwIfAborted()
  }
  try {
    return await importConversations(store, chunks, { ...options, afterTurn })
  } catch (error) {
    if (!signal.aborted) throw error
    throw new CommandError(EXIT.interrupted, INTERRUPTED)
  } finally {
    progress.finish()
  }
}

const INTERRUPTED =
  'Interrupted. What was imported stays: run the same command again, and it goes on from there.'

function facts({ users, conversations, stored, already, tokens, leftOut }: ImportTotals): object {
  return { users: users.size, conversations, stored, already, tokens, leftOut: Object.fromEntries(leftOut) }
}

function report({ users, conversations, stored, already, tokens, leftOut }: ImportTotals): string {
  const turns = `${counted(stored, 'turn')} stored, ${count(already)} there already`
  const whose = `${counted(conversations, 'conversation')} of ${counted(users.size, 'user')}`
  const result = `${turns}: ${whose}, ${counted(tokens, 'token')}.`
  if (leftOut.size === 0) return result
  const kinds = [...leftOut].map(([kind, number]) => `${abridged(kind, 40)} (${count(number)})`).join(', ')
  const all = [...leftOut.values()].reduce((sum, number) => sum + number, 0)
  return `${result}\n${counted(all, 'message')} of kinds that have no text, or no place in a chat, left out: ${kinds}.`
}
