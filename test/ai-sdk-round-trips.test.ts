import { modelMessageSchema, type ModelMessage, type UIMessage } from 'ai'
import * as fc from 'fast-check'
import { beforeAll, expect, it } from 'vitest'
import { loadModelMessages, loadUIMessages, saveModelMessages, saveUIMessages } from '../src/ai-sdk.ts'
import type { ConversationStore, Message } from '../src/index.ts'
import { anyModelMessage, anyUIMessages, sensibleTurn } from './ai-sdk/arbitrary.ts'
import { newConversation, TEST_ENCODING } from './ai-sdk/major.ts'
import { onEachDatabase } from './support/databases.ts'
import { chatTokens, oracleCount } from './support/oracle.ts'

const RUNS = { seed: 20_261_123, numRuns: 20 }

onEachDatabase('messages of the AI SDK', (database) => {
  let store: ConversationStore
  beforeAll(async () => void (store = await database.open()))

  it('come back as they were saved: model messages', async () => {
    const saves = fc.array(fc.array(anyModelMessage, { minLength: 1, maxLength: 5 }), {
      minLength: 1,
      maxLength: 3,
    })
    await fc.assert(
      fc.asyncProperty(saves, async (batches) => {
        const conversation = newConversation(store)
        for (const messages of batches) await saveModelMessages(conversation, messages)
        expect(await loadModelMessages(conversation)).toStrictEqual(batches.flat())
        expect((await loadUIMessages(conversation)).length).toBeGreaterThan(0)
      }),
      RUNS,
    )
  })

  it('come back as they were saved: UI messages', async () => {
    await fc.assert(
      fc.asyncProperty(anyUIMessages, fc.nat(6), async (messages, first) => {
        const conversation = newConversation(store)
        await saveUIMessages(conversation, messages.slice(0, first))
        await saveUIMessages(conversation, messages)
        const stored = await conversation.listTurns()
        await saveUIMessages(conversation, messages)
        expect(await conversation.listTurns()).toEqual(stored)
        expect(await loadUIMessages(conversation)).toStrictEqual(messages)
      }),
      RUNS,
    )
  })

  it('are stored as a model’s API takes them, and counted as that', async () => {
    const turns = fc.array(sensibleTurn, { minLength: 1, maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(turns, async (saved) => {
        const conversation = newConversation(store)
        for (const messages of saved) await saveModelMessages(conversation, messages)
        const stored = await conversation.listTurns()
        expect(stored.length).toBe(saved.length)
        for (const { messages, tokenCount } of stored) {
          expect(faultIn(messages)).toBeUndefined()
          expect(tokenCount).toBe(chatTokens(messages, oracleCount(TEST_ENCODING), () => 85))
        }
        expect(await loadModelMessages(conversation)).toStrictEqual(saved.flat())
      }),
      RUNS,
    )
  })

  it('in plain chat form, as others write them, are good messages of both forms', async () => {
    const conversation = newConversation(store)
    await conversation.append([...PLAIN])
    const loaded = await loadModelMessages(conversation)
    expect(loaded).toEqual(PLAIN_AS_MODEL)
    for (const message of loaded) expect(modelMessageSchema.safeParse(message).error).toBeUndefined()
    const shown = await loadUIMessages(conversation)
    expect(shown.map(({ role, parts }) => [role, parts.map(({ type }) => type)])).toEqual([
      ['system', ['text']],
      ['user', ['text', 'file', 'file', 'file']],
      ['assistant', ['step-start', 'text', 'tool-weather', 'tool-note', 'step-start', 'text']],
    ])
  })

  it('are laid out as a model’s API takes them: UI messages of several steps, and a provider’s own tools', async () => {
    const conversation = newConversation(store)
    const shown = (toolCallId: string, output: unknown) => ({
      type: 'tool-look',
      toolCallId,
      state: 'output-available',
      input: {},
      output,
    })
    const parts = [
      { type: 'step-start' },
      { type: 'text', text: 'I look twice.' },
      shown('c1', 'nothing'),
      shown('c2', { sheep: 1 }),
      { type: 'step-start' },
      { type: 'text', text: 'One sheep.' },
    ] as UIMessage['parts']
    await saveUIMessages(conversation, [{ id: 'a1', role: 'assistant', parts }])
    const own = { toolCallId: 'p1', toolName: 'search' }
    await saveModelMessages(conversation, [
      { role: 'user', content: 'Search.' },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'I search.' },
          { type: 'tool-call', ...own, input: { for: 'sheep' }, providerExecuted: true },
          { type: 'tool-result', ...own, output: { type: 'text', value: 'found' } },
          { type: 'text', text: 'Found.' },
        ],
      },
    ])
    const call = (id: string, name: string, json: string) => ({
      id,
      type: 'function',
      function: { name, arguments: json },
    })
    const { messages } = await conversation.loadWindow({ maxTokens: 1000 })
    expect(messages.map((message) => ({ ...message, ai_sdk: undefined }))).toEqual([
      {
        role: 'assistant',
        content: 'I look twice.',
        tool_calls: [call('c1', 'look', '{}'), call('c2', 'look', '{}')],
      },
      { role: 'tool', content: 'nothing', tool_call_id: 'c1' },
      { role: 'tool', content: '{"sheep":1}', tool_call_id: 'c2' },
      { role: 'assistant', content: 'One sheep.' },
      { role: 'user', content: 'Search.' },
      { role: 'assistant', content: 'I search.', tool_calls: [call('p1', 'search', '{"for":"sheep"}')] },
      { role: 'tool', content: 'found', tool_call_id: 'p1' },
      { role: 'assistant', content: 'Found.' },
    ])
  })

  it('whose stored messages were taken away in part are read by what is left', async () => {
    const conversation = newConversation(store)
    const output = { type: 'json', value: { celsius: -4 } } as const
    const results = ['c1', 'c2'].map(
      (toolCallId) => ({ type: 'tool-result', toolCallId, toolName: 'weather', output }) as const,
    )
    await saveModelMessages(conversation, [
      { role: 'user', content: 'Hm?' },
      { role: 'tool', content: results },
    ])
    await conversation.popMessage()
    expect(await loadModelMessages(conversation)).toEqual([
      { role: 'user', content: 'Hm?' },
      { role: 'tool', content: [{ ...results[0], toolName: 'unknown' }] },
    ])
  })

  it('do not hold twice what is long: a text, a picture, a tool’s output', async () => {
    const conversation = newConversation(store)
    const long = 'x1 '.repeat(5000)
    const picture = `data:image/png;base64,${'iVBORw0KGgo'.repeat(1000)}`
    const search = {
      type: 'tool-search',
      toolCallId: 'c1',
      state: 'output-available',
      input: { long },
      output: { long },
    }
    await saveUIMessages(conversation, [
      {
        id: 'u',
        role: 'user',
        parts: [{ type: 'file', mediaType: 'image/png', filename: 'a.png', url: picture }],
      },
      { id: 'a', role: 'assistant', parts: [{ type: 'text', text: long }, search as never] },
    ])
    const [turn] = await conversation.listTurns()
    const once = picture.length + 3 * long.length
    expect(JSON.stringify(turn!.messages).length).toBeLessThan(once + 1500)
  })
})

const PLAIN: readonly Message[] = [
  {
    role: 'developer',
    content: [
      { type: 'text', text: 'Be ' },
      { type: 'text', text: 'brief.' },
    ],
  },
  {
    role: 'user',
    content: [
      { type: 'text', text: 'What is this?' },
      { type: 'image_url', image_url: { url: 'data:image/gif;base64,R0lGOD' } },
      { type: 'input_audio', input_audio: { data: 'UklGRg', format: 'wav' } },
      { type: 'file', file: { file_data: 'data:application/pdf;base64,JVBERi', filename: 'a.pdf' } },
    ],
  },
  {
    role: 'assistant',
    content: 'I look.',
    tool_calls: [
      { id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } },
      { id: 'c2', type: 'custom', custom: { name: 'note', input: 'cold' } },
    ],
  },
  { role: 'tool', content: '{"celsius":-4}', tool_call_id: 'c1' },
  { role: 'tool', content: [{ type: 'text', text: 'noted' }], tool_call_id: 'c2' },
  { role: 'assistant', content: null, refusal: 'I will not say.' },
]

const PLAIN_AS_MODEL: readonly ModelMessage[] = [
  { role: 'system', content: 'Be brief.' },
  {
    role: 'user',
    content: [
      { type: 'text', text: 'What is this?' },
      { type: 'file', mediaType: 'image/gif', data: 'data:image/gif;base64,R0lGOD' },
      { type: 'file', mediaType: 'audio/wav', data: 'UklGRg' },
      {
        type: 'file',
        mediaType: 'application/pdf',
        data: 'data:application/pdf;base64,JVBERi',
        filename: 'a.pdf',
      },
    ],
  },
  {
    role: 'assistant',
    content: [
      { type: 'text', text: 'I look.' },
      { type: 'tool-call', toolCallId: 'c1', toolName: 'weather', input: { city: 'Oslo' } },
      { type: 'tool-call', toolCallId: 'c2', toolName: 'note', input: 'cold' },
    ],
  },
  {
    role: 'tool',
    content: [
      {
        type: 'tool-result',
        toolCallId: 'c1',
        toolName: 'weather',
        output: { type: 'json', value: { celsius: -4 } },
      },
    ],
  },
  {
    role: 'tool',
    content: [
      { type: 'tool-result', toolCallId: 'c2', toolName: 'note', output: { type: 'text', value: 'noted' } },
    ],
  },
  { role: 'assistant', content: [{ type: 'text', text: 'I will not say.' }] },
]

/** What OpenAI's API would say of messages: each call is answered directly after it, and nothing else is. */
function faultIn(messages: readonly Message[]): string | undefined {
  let open: string[] = []
  for (const message of messages) {
    if (message.role === 'tool') {
      if (!open.includes(message.tool_call_id))
        return `a result for ${message.tool_call_id}, which was not called`
      open = open.filter((id) => id !== message.tool_call_id)
      continue
    }
    if (open.length > 0) return `no result for ${open.join()}`
    if (message.role === 'assistant') open = (message.tool_calls ?? []).map(({ id }) => id)
  }
  return open.length > 0 ? `no result for ${open.join()}` : undefined
}
