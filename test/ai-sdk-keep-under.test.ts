import type { ModelMessage } from 'ai'
import { describe, expect, it } from 'vitest'
import { keepUnder } from '../src/ai-sdk.ts'
import type { Message } from '../src/index.ts'
import { chatTokens, oracleCount } from './support/oracle.ts'

const encoding = 'gpt2'
const tokens = (...messages: Message[]) => chatTokens(messages, oracleCount(encoding))

describe('keepUnder', () => {
  const user = (content: string): ModelMessage => ({ role: 'user', content })
  const answer = (content: string): ModelMessage => ({ role: 'assistant', content })
  const talk = [user('One?'), answer('One.'), user('Two?'), answer('Two.'), user('Three?')]
  const costs = (messages: readonly ModelMessage[]) => tokens(...(messages as Message[]))

  it('leaves a step alone that fits to the token, and leaves out whole turns of one that does not', async () => {
    expect(await keepUnder({ maxTokens: costs(talk), encoding })({ messages: talk })).toBeUndefined()
    const cut = await keepUnder({ maxTokens: costs(talk) - 1, encoding })({ messages: talk })
    expect(cut?.messages).toEqual(talk.slice(2))
    const least = await keepUnder({ maxTokens: costs(talk.slice(4)), encoding })({ messages: talk })
    expect(least?.messages).toEqual(talk.slice(4))
  })

  it('counts instructions in each form that they have, as the step tells or else the options', async () => {
    const system = { role: 'system', content: 'Be brief.' } as const
    const maxTokens = costs(talk.slice(2)) + tokens(system)
    for (const given of [system.content, system, [system]]) {
      const told = await keepUnder({ maxTokens, encoding })({ messages: talk, instructions: given })
      const said = await keepUnder({ maxTokens, encoding, instructions: given })({ messages: talk })
      expect([told?.messages, said?.messages]).toEqual([talk.slice(2), talk.slice(2)])
      const less = await keepUnder({ maxTokens: maxTokens - 1, encoding })({
        messages: talk,
        instructions: given,
      })
      expect(less?.messages).toEqual(talk.slice(4))
    }
  })

  it('keeps what the system says among the messages', async () => {
    const messages: ModelMessage[] = [{ role: 'system', content: 'Be brief.' }, ...talk]
    const cut = await keepUnder({ maxTokens: costs(messages) - 1, encoding })({ messages })
    expect(cut?.messages).toEqual([messages[0], ...talk.slice(2)])
  })

  it('does not part a call of a provider’s own tool from a result that came with a later answer', async () => {
    const own = { toolCallId: 'p1', toolName: 'search' }
    const call = { type: 'tool-call', ...own, input: { for: 'sheep' }, providerExecuted: true } as const
    const output = { type: 'text', value: 'Sheep were found.' } as const
    const messages: ModelMessage[] = [
      user('Search.'),
      { role: 'assistant', content: [{ type: 'text', text: 'First I think about it.' }] },
      { role: 'assistant', content: [call] },
      { role: 'assistant', content: [{ type: 'tool-result', ...own, output }] },
      { role: 'assistant', content: [{ type: 'text', text: 'Now I look at what was found.' }] },
    ]
    const lengths = new Set<number>()
    for (let maxTokens = 25; maxTokens < 120; maxTokens++) {
      const step = keepUnder({ maxTokens, encoding })({ messages })
      const kept = (await step.catch(() => ({ messages: [] })))?.messages ?? messages
      expect(kept.includes(messages[2]!)).toBe(kept.includes(messages[3]!))
      lengths.add(kept.length)
    }
    expect([...lengths]).toEqual([2, 4, 5])
  })

  it('asks for what an image costs, and throws where nobody can tell', async () => {
    const image = { type: 'file', mediaType: 'image/png', data: 'iVBORw0KGgo' } as const
    const messages: ModelMessage[] = [...talk.slice(0, 2), { role: 'user', content: [image] }]
    const rest = costs(talk.slice(0, 2)) + tokens({ role: 'user', content: '' })
    const step = (maxTokens: number) => keepUnder({ maxTokens, encoding, countPart: () => 85 })({ messages })
    expect(await step(rest + 85)).toBeUndefined()
    expect((await step(rest + 84))?.messages).toEqual(messages.slice(2))
    const uncounted = keepUnder({ maxTokens: 1000, encoding })({ messages })
    await expect(uncounted).rejects.toMatchObject({ code: 'MISSING_TOKEN_COUNT' })
  })

  it('throws for a limit that is none, when it is made', () => {
    for (const maxTokens of [-1, 1.5, Number.NaN, '9', undefined]) {
      expect(() => keepUnder({ maxTokens: maxTokens as number })).toThrow(
        expect.objectContaining({ code: 'INVALID_LIMIT' }),
      )
    }
    expect(() => keepUnder({ maxTokens: 9, encoding: 'none' as never })).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_ENCODING' }),
    )
  })
})
