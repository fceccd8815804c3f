// Shows: streamText with a tool: what it produced is saved as a turn, and loaded for the next question, under a limit.
// Run: npx tsx examples/ai-sdk.ts (DATABASE_URL=postgres://… keeps it in Postgres)
// Prints: It is -4 °C in Oslo. | You asked about Oslo. | user, assistant, tool, assistant, user, assistant
import { isStepCount, simulateReadableStream, streamText, tool, type ModelMessage } from 'ai'
import { MockLanguageModelV4 } from 'ai/test'
import { openStore } from 'backscroll'
import { keepUnder, loadModelMessages, saveModelMessages } from 'backscroll/ai-sdk'
import { z } from 'zod'

await using store = await openStore(process.env.DATABASE_URL ?? 'sqlite::memory:')
const conversation = store.conversation({ userId: 'ada', conversationId: 'trip', framing: 'chat' })

const weather = tool({
  description: 'The weather in a city, now.',
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => ({ city, celsius: -4 }),
})

async function ask(content: string): Promise<void> {
  const question: ModelMessage = { role: 'user', content }
  const result = streamText({
    model: process.env.AI_GATEWAY_API_KEY ? 'openai/gpt-5-mini' : scriptedModel(),
    instructions: 'Be brief.',
    messages: [...(await loadModelMessages(conversation, { maxTokens: 4000 })), question],
    tools: { weather },
    stopWhen: isStepCount(5),
    prepareStep: keepUnder({ maxTokens: 8000 }),
  })
  for await (const text of result.textStream) process.stdout.write(text)
  process.stdout.write('\n')
  await saveModelMessages(conversation, [question, ...(await result.responseMessages)])
}

await ask('How cold is it in Oslo?')
await ask('Which city did I ask about?')
console.log((await loadModelMessages(conversation)).map(({ role }) => role).join(', '))
await conversation.clear()

/** Stands for a model where there is no key, as in the SDK's own tests. */
function scriptedModel(): MockLanguageModelV4 {
  return new MockLanguageModelV4({
    doStream: async ({ prompt }) => ({ stream: simulateReadableStream<Chunk>({ chunks: answerTo(prompt) }) }),
  })
}

type Prompt = Parameters<MockLanguageModelV4['doStream']>[0]['prompt']
type Chunk =
  Awaited<ReturnType<MockLanguageModelV4['doStream']>>['stream'] extends ReadableStream<infer Part>
    ? Part
    : never

/** Calls the tool first, and answers from the messages that it is sent. */
function answerTo(prompt: Prompt): Chunk[] {
  const [city] = /\b(Oslo|Rome)\b/.exec(JSON.stringify(prompt)) ?? ['no city']
  if (!prompt.some(({ role }) => role === 'tool')) {
    const input = JSON.stringify({ city })
    return [{ type: 'tool-call', toolCallId: 'call_1', toolName: 'weather', input }, finish('tool-calls')]
  }
  const delta = prompt.at(-1)?.role === 'tool' ? `It is -4 °C in ${city}.` : `You asked about ${city}.`
  return [
    { type: 'text-start', id: 'answer' },
    { type: 'text-delta', id: 'answer', delta },
    { type: 'text-end', id: 'answer' },
    finish('stop'),
  ]
}

function finish(unified: 'stop' | 'tool-calls'): Chunk {
  const usage = {
    inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: 1, text: 1, reasoning: 0 },
  }
  return { type: 'finish', finishReason: { unified, raw: undefined }, usage }
}
