// Shows: a chain that remembers what was said, as far as its token limit reaches, and forgets a user for good.
// Run: npx tsx examples/plain.ts (DATABASE_URL=postgres://… keeps it in Postgres)
// Prints: Your name is Ada. | Nothing in the 3 messages that I was sent tells me what your name is. | 4 turns forgotten
import { ConversationChain, ConversationTokenBufferMemory, openStore } from 'backscroll'
import OpenAI from 'openai'
import { answerWithoutKey } from './local-model.ts'

await answerWithoutKey() // leave this out of your own app, and set OPENAI_API_KEY

await using store = await openStore(process.env.DATABASE_URL ?? 'sqlite::memory:')
const client = new OpenAI()

/** Chains are cheap: make one for each request. What they remember is in the database. */
function chainWith(maxTokenLimit: number): ConversationChain {
  const memory = new ConversationTokenBufferMemory({
    store,
    userId: 'ada',
    conversationId: 'support-42',
    maxTokenLimit,
  })
  return new ConversationChain({ client, model: 'gpt-5-mini', memory })
}

const chain = chainWith(2000)
await chain.predict({ input: 'Hi, my name is Ada.' })
await chain.predict({ input: 'I have two cats.' })
for await (const text of chain.stream({ input: 'What is my name?' })) process.stdout.write(text)
process.stdout.write('\n')

// The newest whole turns that fit: under this limit only the last one is sent.
console.log(await chainWith(20).predict({ input: 'What is my name?' }))

const { turns } = await store.forgetUser('ada')
console.log(`${turns} turns forgotten`)
