// Shows: a prompt and a model of LangChain's in RunnableWithMessageHistory, whose history is kept in a database.
// Run: npx tsx examples/langchain.ts (DATABASE_URL=postgres://… keeps it in Postgres)
// Prints: You live in Oslo. | Nothing in the one message that I was sent tells me where you live.
import { ChatPromptTemplate, MessagesPlaceholder } from '@langchain/core/prompts'
import { RunnableWithMessageHistory } from '@langchain/core/runnables'
import { ChatOpenAI } from '@langchain/openai'
import { openStore } from 'backscroll'
import { BackscrollChatMessageHistory } from 'backscroll/langchain'
import { answerWithoutKey } from './local-model.ts'

await answerWithoutKey() // leave this out of your own app, and set OPENAI_API_KEY

await using store = await openStore(process.env.DATABASE_URL ?? 'sqlite::memory:')

const prompt = ChatPromptTemplate.fromMessages([
  ['system', 'You are a helpful assistant.'],
  new MessagesPlaceholder('history'),
  ['human', '{question}'],
])
const runnable = prompt.pipe(new ChatOpenAI({ model: 'gpt-5-mini' }))

/** A chain for each request: whose it is comes from your sign-in, which of their conversations from the request. */
async function ask(userId: string, conversationId: string, question: string): Promise<string> {
  const chain = new RunnableWithMessageHistory({
    runnable,
    getMessageHistory: () =>
      new BackscrollChatMessageHistory({ store, userId, conversationId, maxTokens: 4000 }),
    inputMessagesKey: 'question',
    historyMessagesKey: 'history',
  })
  const answer = await chain.invoke({ question }, { configurable: { sessionId: conversationId } })
  return answer.text
}

await ask('ada', 'support-42', 'I live in Oslo.')
console.log(await ask('ada', 'support-42', 'Where do I live?'))
console.log(await ask('bo', 'support-42', 'Where do I live?'))
for (const userId of ['ada', 'bo']) await store.forgetUser(userId)
