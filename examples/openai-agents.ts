// Shows: an agent with a tool whose session is kept in a database, so that the next run goes on where this one stopped.
// Run: npx tsx examples/openai-agents.ts (DATABASE_URL=postgres://… keeps it in Postgres)
// Prints: It is -4 °C in Oslo. | You asked about Oslo. | 6 items
import { Agent, Runner, tool, type AgentInputItem } from '@openai/agents-core'
import { assistantMessage, functionCall, modelResponder, ScriptedModel } from '@openai/agents-core/testing'
import { openStore } from 'backscroll'
import { BackscrollSession } from 'backscroll/openai-agents'
import { z } from 'zod'

await using store = await openStore(process.env.DATABASE_URL ?? 'sqlite::memory:')

const weather = tool({
  name: 'weather',
  description: 'The weather in a city, now.',
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => ({ city, celsius: -4 }),
})

// Stands for OpenAI's models: the SDK's core comes with none but this one, which says what a script says. In your app
// install @openai/agents, import Agent, Runner and tool from there, and leave `model` out.
const model = new ScriptedModel([
  [functionCall('weather', { city: 'Oslo' }, { callId: 'call_1' })],
  [assistantMessage('It is -4 °C in Oslo.')],
  modelResponder(({ request }) => [assistantMessage(`You asked about ${cityIn(request.input)}.`)]),
])
const agent = new Agent({ name: 'Weather', instructions: 'Be brief.', model, tools: [weather] })
const runner = new Runner({ tracingDisabled: true }) // traces go to OpenAI, by your key

/** A session for each request: it holds nothing, and the run is given the newest whole turns that fit. */
async function ask(question: string): Promise<string | undefined> {
  const session = new BackscrollSession({ store, userId: 'ada', conversationId: 'trip', maxTokens: 4000 })
  const { finalOutput } = await runner.run(agent, question, { session })
  return finalOutput
}

console.log(await ask('How cold is it in Oslo?'))
console.log(await ask('Which city did I ask about?'))

const session = new BackscrollSession({ store, userId: 'ada', conversationId: 'trip' })
console.log(`${(await session.getItems()).length} items`)
await session.clearSession()

/** What the script reads of the history that it was sent. */
function cityIn(input: string | AgentInputItem[]): string {
  return /\b(Oslo|Rome)\b/.exec(JSON.stringify(input))?.[0] ?? 'no city'
}
