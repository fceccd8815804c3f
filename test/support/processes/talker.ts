import OpenAI from 'openai'
import { ConversationChain, ConversationTokenBufferMemory, openStore } from '../../../src/index.ts'
import { options } from './ready.ts'

/** What a talker is told: what to say, to which server, and whether it is on a terminal. */
export interface TalkerOptions {
  readonly serverUrl: string
  readonly inputs: readonly string[]
  readonly onTerminal: boolean
}

/** Talks to a model under `verbose: true`, and prints nothing of its own. */
const { serverUrl, inputs, onTerminal } = options<TalkerOptions>()
// A pipe that says it is a terminal: a real one would put carriage returns into what is printed.
if (onTerminal) process.stdout.isTTY = true
const store = await openStore('sqlite::memory:')
const chain = new ConversationChain({
  client: new OpenAI({ apiKey: 'test', baseURL: serverUrl, maxRetries: 0 }),
  model: 'gpt-5-mini',
  memory: new ConversationTokenBufferMemory({
    store,
    userId: 'ada',
    conversationId: 'seed',
    maxTokenLimit: 60,
  }),
  verbose: true,
})
for (const input of inputs) await chain.predict({ input })
await store.close()
