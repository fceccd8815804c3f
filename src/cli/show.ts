import type { CountedAs } from '../index.ts'
import { parseOptions, ratio, SHARED, SHARED_HELP, wholeNumber } from './arguments.ts'
import { drawBars } from './bars.ts'
import type { Command } from './command.ts'
import { databaseOf, storedConversation, withExistingStore } from './database.ts'
import { abridged, count, json, title } from './print.ts'
import { viewWindow } from './window-view.ts'

/** `backscroll show`: what a model would be given of a conversation, and what not. */
export const command: Command = {
  help: `Shows a conversation as bars of tokens, one line a turn, oldest first: what a model would be given of it under a
limit, what is left out, and the cut between them.

  backscroll show [--conversation ID] [--limit N] [--retention R] [--turns N] [--json]

${SHARED_HELP.database}
${SHARED_HELP.codec}
${SHARED_HELP.user}
${SHARED_HELP.conversation}
  --limit N            the most tokens of history. Default: 2000
  --retention R        from 0 to 1. Below 1 the cut moves in steps of the limit less this share of it, so that a
                       provider can cache the prompt's beginning. Default: 1, the exact newest turns
  --turns N            how many of the newest turns are shown one by one; older ones are summed. Default: 40
${SHARED_HELP.json}
${SHARED_HELP.help}

Tokens are those that were counted when the turns were stored; nothing is counted anew. A turn counts with the line
break that ends it. The newest one does not need it: what is given may be a token or two less than its lines say.

Exit codes: 0 done; 1 failed; 2 wrong arguments; 3 the database cannot be reached or used now; 4 no such conversation.

  backscroll show
  backscroll show --user ada --conversation support-42 --limit 8000 --json | jq .omitted`,

  async run(args, surroundings) {
    const { values } = parseOptions(args, OPTIONS)
    const maxTokens = wholeNumber('--limit', values.limit, 0)
    const retentionRatio = ratio('--retention', values.retention)
    const turns = wholeNumber('--turns', values.turns, 1)
    const { output, signal } = surroundings
    const key = { userId: values.user, conversationId: values.conversation }
    await withExistingStore(await databaseOf(values, surroundings), surroundings, async (store) => {
      const { conversation, countedAs } = await storedConversation(store, key, surroundings)
      const view = await viewWindow(conversation, { maxTokens, retentionRatio, turns, signal })
      if (values.json) {
        output.write(`${json({ ...key, ...countedAs, maxTokens, retentionRatio, ...view })}\n`)
        return
      }
      output.write(`${title(`${abridged(key.userId, 40)}, ${abridged(key.conversationId, 40)}`, output)}\n`)
      output.write(`${rule(countedAs)}, a limit of ${count(maxTokens)}\n\n`)
      output.write(`${drawBars(view, output)}\n`)
    })
  },
}

const OPTIONS = {
  ...SHARED,
  limit: { type: 'string', default: '2000' },
  retention: { type: 'string', default: '1' },
  turns: { type: 'string', default: '40' },
} as const

function rule({ encoding, framing }: CountedAs): string {
  return `tokens of ${encoding} in ${framing.kind} framing`
}
