import type { ModelMessage } from 'ai'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { keepUnder } from '../../src/ai-sdk.ts'
import { ContextWindowExceededError } from '../../src/index.ts'
import type { Message } from '../../src/index.ts'
import { chatTokens, oracleCount } from '../support/oracle.ts'
import { scripted, TEST_ENCODING, type Major, type PromptMessage } from './major.ts'

const SYSTEM = 'You count sheep until you are told to stop.'
const EARLIER: readonly ModelMessage[] = [
  { role: 'user', content: 'Do you like sheep? I have one, and it has a name.' },
  { role: 'assistant', content: [{ type: 'text', text: 'Very much, and all of them alike.' }] },
  { role: 'user', content: 'Then count them.' },
]
const STEPS = 14

/** A long run of an agent under a limit. */
export function testLongRuns(major: Major): void {
  const { sdk } = major
  const tools = {
    count: sdk.tool({
      inputSchema: z.object({ from: z.number() }),
      execute: async ({ from }: { from: number }) => ({
        sheep: from,
        seen: 'baa '.repeat(1 + ((from * 7) % 11)),
      }),
    }),
  }

  /** Two calls in every third step, one in the others; at last a text. */
  async function run(maxTokens: number, kind: 'generate' | 'stream') {
    const { model, prompts } = scripted(major, (step) => {
      if (step === STEPS) return { text: 'That was all of them.' }
      const calls = Array.from({ length: step % 3 === 0 ? 2 : 1 }, (_, index) => ({
        id: `call ${step} ${index}`,
        name: 'count',
        input: { from: step * 10 + index },
      }))
      return { text: `Step ${step}.`, calls }
    })
    const settings = {
      model: model as never,
      system: SYSTEM,
      messages: [...EARLIER],
      tools,
      stopWhen: sdk.stepCountIs(STEPS + 1),
      prepareStep: keepUnder({ maxTokens, encoding: TEST_ENCODING, instructions: SYSTEM }),
    }
    if (kind === 'generate') await sdk.generateText(settings)
    else {
      const errors: unknown[] = []
      await sdk.streamText({ ...settings, onError: ({ error }) => void errors.push(error) }).consumeStream()
      if (errors.length > 0) throw errors[0]
    }
    return prompts
  }

  describe(`a long run of ai ${major.version}`, () => {
    it.each(['generate', 'stream'] as const)(
      'has every prompt under the limit, and no step that would have fitted left out: %sText',
      async (kind) => {
        const everything = await run(100_000, kind)
        const limit = 330
        expect(tokensOf(everything.at(-1)!)).toBeGreaterThan(2 * limit)
        const prompts = await run(limit, kind)
        expect(prompts.length).toBe(STEPS + 1)
        for (const [step, prompt] of prompts.entries()) {
          expect(tokensOf(prompt)).toBeLessThanOrEqual(limit)
          expect(prompt).toEqual(newestThatFit(everything[step]!, limit))
          expect(orphansIn(prompt)).toEqual([])
        }
        // It began with all that had been said, and had to let go of steps in the end.
        expect(prompts[0]).toEqual(everything[0])
        expect(prompts.at(-1)!.length).toBeLessThan(everything.at(-1)!.length - 4)
      },
    )

    it('fails with a typed error when not even the newest step fits', async () => {
      await expect(run(60, 'generate')).rejects.toMatchObject({ code: 'CONTEXT_WINDOW_EXCEEDED' })
      await expect(run(60, 'stream')).rejects.toBeInstanceOf(ContextWindowExceededError)
    })
  })
}

/** The slow, obvious way: leave out the oldest turn, and then the oldest step, for as long as it is too much. */
function newestThatFit(prompt: readonly PromptMessage[], limit: number): readonly PromptMessage[] {
  const asked = prompt.findLastIndex(({ role }) => role === 'user')
  let left = [...prompt]
  while (tokensOf(left) > limit) {
    const question = left.findLastIndex(({ role }) => role === 'user')
    // After the system's message; or, once only the newest question is left, after that.
    const from = question > 1 ? 1 : 2
    const roles = left.map(({ role }) => role)
    const to = roles.indexOf(question > 1 ? 'user' : 'assistant', from + 1)
    left = left.toSpliced(from, to - from)
  }
  expect(left).toContain(prompt[asked])
  return left
}

function tokensOf(prompt: readonly PromptMessage[]): number {
  return chatTokens(prompt.flatMap(toChat), oracleCount(TEST_ENCODING))
}

/** A prompt's message as the chat form has it, written once more and for these prompts alone. */
function toChat({ role, content }: PromptMessage): Message[] {
  if (typeof content === 'string') return [{ role: 'system', content }]
  const text = content.flatMap((part) => (part['type'] === 'text' ? [part['text'] as string] : [])).join('')
  if (role === 'tool') {
    return content.map((part) => ({
      role: 'tool',
      content: JSON.stringify((part['output'] as { value: unknown }).value),
      tool_call_id: part['toolCallId'] as string,
    }))
  }
  const calls = content.flatMap((part) => {
    if (part['type'] !== 'tool-call') return []
    const call = { name: part['toolName'] as string, arguments: JSON.stringify(part['input']) }
    return [{ id: part['toolCallId'] as string, type: 'function' as const, function: call }]
  })
  return [{ role, content: text, ...(calls.length > 0 ? { tool_calls: calls } : {}) } as Message]
}

/** Calls without a result, and results without a call. */
function orphansIn(prompt: readonly PromptMessage[]): unknown[] {
  const ids = (type: string) =>
    prompt.flatMap(({ content }) =>
      typeof content === 'string'
        ? []
        : content.filter((part) => part['type'] === type).map((part) => part['toolCallId']),
    )
  const [calls, results] = [ids('tool-call'), ids('tool-result')]
  return [...calls.filter((id) => !results.includes(id)), ...results.filter((id) => !calls.includes(id))]
}
