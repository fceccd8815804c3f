import type { ConversationSummary } from '../index.ts'
import { listAll } from '../transfer/list-all.ts'
import { parseOptions, SHARED, SHARED_HELP } from './arguments.ts'
import type { Command } from './command.ts'
import { databaseOf, withExistingStore } from './database.ts'
import { abridged, count, json, table } from './print.ts'

/** `backscroll list`: a user's conversations, the one that was written to last first. */
export const command: Command = {
  help: `Lists a user's conversations, the one that was written to last first.

  backscroll list [--user ID] [--json]

${SHARED_HELP.database}
${SHARED_HELP.codec}
${SHARED_HELP.user}
  --json               prints a JSON array, for a program to read
${SHARED_HELP.help}

Tokens are counted as each conversation was last written with. Times are UTC. A title is the \`title\` of the
conversation's metadata.

Exit codes: 0 done, also when there are none; 2 wrong arguments; 3 the database cannot be reached or used now.

  backscroll list
  backscroll list --user ada --json | jq -r '.[].conversationId'`,

  async run(args, surroundings) {
    const { values } = parseOptions(args, OPTIONS)
    const { user, json: asJson } = values
    const { output } = surroundings
    const all = await withExistingStore(await databaseOf(values, surroundings), surroundings, (store) =>
      listAll(store, user, surroundings),
    )
    // The cursor continues a list; this one is whole.
    if (asJson) output.write(`${json(all.map((line) => ({ ...line, cursor: undefined })))}\n`)
    else if (all.length === 0) output.write('This user has no conversations.\n')
    else output.write(`${table(HEAD, all.map(cells), { left: LEFT, on: output })}\n`)
  },
}

const OPTIONS = {
  database: SHARED.database,
  codec: SHARED.codec,
  user: SHARED.user,
  json: SHARED.json,
}

const HEAD = ['conversation', 'turns', 'tokens', 'updated (UTC)', 'title']
const LEFT = ['conversation', 'title']

function cells({
  conversationId,
  turnCount,
  tokenCount,
  updatedAt,
  metadata,
}: ConversationSummary): string[] {
  const title = metadata?.['title']
  return [
    abridged(conversationId, 40),
    count(turnCount),
    count(tokenCount),
    updatedAt.toISOString().slice(0, 16).replace('T', ' '),
    typeof title === 'string' ? abridged(title, 60) : '',
  ]
}
