import {
  Agent,
  Runner,
  tool,
  type AgentInputItem,
  type ReasoningItem,
  type Session,
  type SessionInputCallback,
} from '@openai/agents-core'
import { functionCall, ScriptedModel, type ScriptedModelInput } from '@openai/agents-core/testing'
import { z } from 'zod'

/** A runner that tells nobody of its runs. */
export const runner = new Runner({ tracingDisabled: true })

/** What a model says of what it thinks, as OpenAI's models do. */
export const thought = {
  type: 'reasoning',
  id: 'rs_1',
  content: [{ type: 'input_text', text: 'The weather is asked for.' }],
  providerData: { encrypted_content: 'gAAAAB' },
} as unknown as ReasoningItem & { type: 'reasoning' }

/** A call of the tool. */
export function weatherOf(city: string, callId: string) {
  return functionCall('weather', { city }, { callId, providerData: { round: 1 } })
}

/** An agent that can look up the weather, on a model that says what the script says. */
export function weatherAgent(
  script: readonly ScriptedModelInput[],
  options: { needsApproval?: boolean } = {},
) {
  const model = new ScriptedModel(script)
  const weather = tool({
    name: 'weather',
    description: 'The weather in a city.',
    parameters: z.object({ city: z.string() }),
    needsApproval: options.needsApproval ?? false,
    execute: async ({ city }) => ({ city, celsius: -city.length }),
  })
  return { model, agent: new Agent({ name: 'Weather', instructions: 'Be brief.', model, tools: [weather] }) }
}

/** Runs the agent on a question to the end, as a stream or not, and gives its final output. */
export async function ask(
  { agent }: ReturnType<typeof weatherAgent>,
  input: string | AgentInputItem[],
  session: Session,
  options: { stream?: boolean; sessionInputCallback?: SessionInputCallback } = {},
): Promise<unknown> {
  const { stream = false, ...others } = options
  if (!stream) return (await runner.run(agent, input, { session, ...others })).finalOutput
  const result = await runner.run(agent, input, { session, stream, ...others })
  let text = ''
  for await (const piece of result.toTextStream()) text += piece
  await result.completed
  return [text, result.finalOutput]
}

/** What a model was asked, call by call. */
export function inputsOf({ model }: ReturnType<typeof weatherAgent>): unknown[] {
  return model.calls.map(({ request }) => request.input)
}
