import { ConversationChain } from '../index.ts'
import { parseOptions, ratio, SHARED, SHARED_HELP, wholeNumber } from './arguments.ts'
import { greet } from './chat/greeting.ts'
import { openMemory } from './chat/memory.ts'
import { openModel } from './chat/model.ts'
import { Pipe } from './chat/pipe.ts'
import { talk } from './chat/talk.ts'
import { Terminal } from './chat/terminal.ts'
import type { Command } from './command.ts'
import { databaseOf, withStore } from './database.ts'

/** `backscroll chat`: talks in the terminal, and remembers. */
export const command: Command = {
  help: `Talks in the terminal and remembers what was said: it goes on where the conversation stands. With the key in
OPENAI_API_KEY, OpenAI's models answer; without one a small local program does, which knows only what it is sent.

  backscroll chat [--user ID] [--conversation ID] [--model NAME] [--base-url URL] [--limit N]

${SHARED_HELP.database}
${SHARED_HELP.codec}
${SHARED_HELP.user}
${SHARED_HELP.conversation}
  --model NAME         which model answers. Default: gpt-5-mini
  --base-url URL       another server that speaks OpenAI's chat completions; without a key it is sent a placeholder.
                       Default: OPENAI_BASE_URL of the environment, else OpenAI's own
  --limit N            the most tokens of history that the model is given. Default: 2000
  --retention R        from 0 to 1. Below 1 the history's beginning moves in steps of the limit less this share of it, so
                       that a provider can cache it. Default: 1, the exact newest turns
  --system TEXT        a system message that stands before each request; it is not stored
${SHARED_HELP.help}

In it: /history, /window, /clear, /quit, and /help for all of them. Ctrl-C stops a reply, of which what came is kept; at
the prompt, twice leaves. Ctrl-D leaves. Several lines that are pasted are one message.

Without a terminal each line is a message or one of these, but nothing is cleared, since nobody can be asked. Only the
replies go to standard output; those of the local program begin with its name.

Exit codes: 0 left, also by Ctrl-C at the prompt; 1 failed, or without a terminal a line did; 2 wrong arguments; 3 the
database cannot be reached or used now; 130 interrupted.

  backscroll chat
  backscroll chat --conversation work --base-url http://localhost:11434/v1 --model llama3.2
  echo "my name is Ada" | backscroll chat`,

  async run(args, surroundings) {
    const { values } = parseOptions(args, OPTIONS)
    const { input, output, environment, signal } = surroundings
    const maxTokenLimit = wholeNumber('--limit', values.limit, 0)
    const retentionRatio = ratio('--retention', values.retention)
    const isAtTerminal = Boolean(input.isTTY && output.isTTY)
    await using model = await openModel({
      model: values.model,
      apiKey: environment['OPENAI_API_KEY'] || undefined,
      baseUrl: values['base-url'] ?? (environment['OPENAI_BASE_URL'] || undefined),
      isWatched: isAtTerminal,
    })
    await withStore(await databaseOf(values, surroundings), surroundings, async (store) => {
      const memory = await openMemory(store, {
        userId: values.user,
        conversationId: values.conversation,
        maxTokenLimit,
        retentionRatio,
        model: values.model,
        signal,
      })
      const chain = new ConversationChain({
        client: model.client,
        model: model.name,
        memory,
        system: values.system,
        keepPartial: true,
      })
      const chat = { chain, isLocal: model.isLocal }
      using person = isAtTerminal ? new Terminal(surroundings) : new Pipe(surroundings)
      await greet(chat, model, person, signal)
      await talk(chat, person, signal)
    })
  },
}

const { database, codec, user, conversation } = SHARED
const OPTIONS = {
  database,
  codec,
  user,
  conversation,
  model: { type: 'string', default: 'gpt-5-mini' },
  'base-url': { type: 'string' },
  limit: { type: 'string', default: '2000' },
  retention: { type: 'string', default: '1' },
  system: { type: 'string' },
} as const
