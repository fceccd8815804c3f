import { pipeline } from 'node:stream/promises'
import { exportLines, listForExport } from '../transfer/export.ts'
import { writeWhole } from '../transfer/files.ts'
import { parseOptions, SHARED, SHARED_HELP, WrongArgumentsError } from './arguments.ts'
import { CommandError, EXIT, type Command } from './command.ts'
import { databaseOf, withExistingStore } from './database.ts'

/** `backscroll export`: a user's conversations as JSON lines. */
export const command: Command = {
  help: `Writes a user's conversations as JSON lines, a turn a line, for backscroll import or another program.

  backscroll export [--user ID] [--conversation ID] [--output FILE [--force]]

${SHARED_HELP.database}
${SHARED_HELP.codec}
${SHARED_HELP.user}
  --conversation ID    only this one. Default: all of them
  --output FILE        writes a file instead of standard output; it is there when it is complete, or not at all
  --force              replaces FILE if it is there
${SHARED_HELP.help}

A line is {"user_id", "conversation_id", "position", "messages", "created_at", "metadata", "conversation_metadata"}: the
messages in OpenAI chat form, metadata where there is one, the conversation's on its first line. The conversation that
was written to last stands at the end, turns by position. A conversation without turns has no line.

Exit codes: 0 done; 1 failed, also when FILE is there already; 2 wrong arguments; 3 the database cannot be reached or
used now; 4 no such conversation, or the user has none; 130 interrupted.

  backscroll export > me.jsonl
  backscroll export --user ada --conversation support-42 --output support-42.jsonl`,

  async run(args, surroundings) {
    const { values } = parseOptions(args, OPTIONS)
    const { user, conversation, output: file, force } = values
    if (force && file === undefined) throw new WrongArgumentsError('--force has no use without --output.')
    const { output, signal } = surroundings
    const selection = { userId: user, conversationId: conversation, signal }
    await withExistingStore(await databaseOf(values, surroundings), surroundings, async (store) => {
      const conversations = await listForExport(store, selection)
      if (conversations.length === 0)
        throw new CommandError(EXIT.notFound, 'There is nothing to export. See: backscroll list')
      const lines = exportLines(store, conversations, selection)
      if (file === undefined) await pipeline(lines, output, { end: false })
      else await writeWhole(file, lines, { replace: force })
    })
  },
}

const OPTIONS = {
  database: SHARED.database,
  codec: SHARED.codec,
  user: SHARED.user,
  conversation: { type: 'string' },
  output: { type: 'string' },
  force: { type: 'boolean', default: false },
} as const
