import OpenAI from 'openai'
import { faint, title } from '../src/cli/print.ts'
import { ConversationChain, ConversationTokenBufferMemory, type ConversationStore } from '../src/index.ts'
import { answerFromMessages, LOCAL_MODEL } from '../src/local-model/answer.ts'
import { modelListener, startServer } from '../src/local-model/server.ts'

const CONVERSATION = { userId: 'backscroll-demo', conversationId: 'talk' } as const

/** Tokens: a handful of short turns. */
const SMALL = 90
const LARGE = 2000

const QUESTION = 'What is my name?'

const INPUTS = [
  'Hi, my name is Ada.',
  'I live in Oslo, near the harbour.',
  QUESTION,
  'I have two cats, and a boat that needs a new coat of paint before the summer comes.',
  'Where do I live?',
  QUESTION,
]

/**
 * A conversation with a program that knows only what it is sent, through the real client and over HTTP: it remembers what
 * is in the window, does not know what has left it, and knows it again under a larger limit, since nothing was deleted.
 */
export async function talk(store: ConversationStore): Promise<void> {
  console.log(title(`\nA conversation, a limit of ${SMALL} tokens`))
  console.log(
    `There is no model here: ${LOCAL_MODEL} is a small program behind an OpenAI-compatible server on this machine.\n` +
      'It answers only from the messages that it is sent.\n',
  )
  // On a kept database each run begins anew.
  await store.conversation(CONVERSATION).clear()
  await using server = await startServer(modelListener(answerFromMessages))
  const client = new OpenAI({ apiKey: 'none', baseURL: server.url })
  for (const input of INPUTS) await say(store, client, { input, maxTokenLimit: SMALL })
  console.log(title(`\nThe same conversation, a limit of ${LARGE} tokens\n`))
  await say(store, client, { input: QUESTION, maxTokenLimit: LARGE })
}

async function say(
  store: ConversationStore,
  client: OpenAI,
  { input, maxTokenLimit }: { input: string; maxTokenLimit: number },
): Promise<void> {
  const memory = new ConversationTokenBufferMemory({ store, ...CONVERSATION, maxTokenLimit })
  const { turns, omittedTurns } = await memory.loadWindow()
  console.log(`Ada: ${input}`)
  process.stdout.write(`${LOCAL_MODEL}: `)
  const chain = new ConversationChain({ client, model: LOCAL_MODEL, memory })
  for await (const text of chain.stream({ input })) process.stdout.write(text)
  console.log(faint(`  (was given ${turns.length} of ${turns.length + omittedTurns} turns)`))
}
