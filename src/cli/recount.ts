import { chosenCounting, COUNTING, parseOptions, SHARED, SHARED_HELP } from './arguments.ts'
import type { Command } from './command.ts'
import { databaseOf, storedConversation, withExistingStore } from './database.ts'
import { count, counted, json } from './print.ts'

/** `backscroll recount`: counts a conversation's turns anew. */
export const command: Command = {
  help: `Counts all turns of a conversation anew and replaces their counts together, or not at all. For a model with another
encoding, or another way of giving the history to it. Who writes to the conversation must count as it then does, or
will count it back.

  backscroll recount [--conversation ID] [--model NAME | --encoding NAME] [--framing text|chat] [--json]

${SHARED_HELP.database}
${SHARED_HELP.codec}
${SHARED_HELP.user}
${SHARED_HELP.conversation}
  --encoding NAME      gpt2, r50k_base, p50k_base, p50k_edit, cl100k_base or o200k_base. Default: as it is recorded
  --model NAME         the encoding of this model, such as gpt-4o
  --framing text|chat  text: one line a message, with the prefixes Human and AI; chat: OpenAI's chat form, in which
                       only text can be counted here. Default: as it is recorded, with its prefixes
${SHARED_HELP.json}
${SHARED_HELP.help}

Exit codes: 0 done; 1 failed; 2 wrong arguments; 3 the database cannot be reached or used now; 4 no such conversation;
130 interrupted: the counts are all as they were, or all new.

  backscroll recount --model gpt-5-mini
  backscroll recount --user ada --conversation support-42 --framing chat --json`,

  async run(args, surroundings) {
    const { values } = parseOptions(args, OPTIONS)
    const chosen = chosenCounting(values)
    const { output, signal } = surroundings
    const key = { userId: values.user, conversationId: values.conversation }
    const facts = await withExistingStore(
      await databaseOf(values, surroundings),
      surroundings,
      async (store) => {
        const { conversation } = await storedConversation(store, key, surroundings)
        // A window that holds nothing leaves out all tokens: the total, in one statement.
        const total = () => conversation.loadWindow({ maxTokens: 0, signal })
        const before = await total()
        const { turns } = await conversation.recount({ ...chosen, signal })
        const after = await total()
        return { turns, tokensBefore: before.omittedTokens, tokensAfter: after.omittedTokens }
      },
    )
    const { turns, tokensBefore, tokensAfter } = facts
    const line = `${counted(turns, 'turn')} counted anew: ${count(tokensBefore)} tokens before, ${count(tokensAfter)} now.`
    output.write(`${values.json ? json({ ...key, ...facts }) : line}\n`)
  },
}

const OPTIONS = { ...SHARED, ...COUNTING }
