import { AIMessage, HumanMessage, ToolMessage } from '@langchain/core/messages'
import { describe, expect, it } from 'vitest'
import { loadModelMessages, saveModelMessages } from '../src/ai-sdk.ts'
import type { Message, ToolCall } from '../src/index.ts'
import { BackscrollChatMessageHistory } from '../src/langchain.ts'
import { BackscrollSession } from '../src/openai-agents.ts'
import { chainOn, messagesIn } from './support/chains.ts'
import { onEachDatabase, type TestDatabase } from './support/databases.ts'
import { startModelServer } from './support/model-server.ts'

let conversations = 0
const keyOfNew = () => ({ userId: 'ada', conversationId: `c${++conversations}` })
type Key = ReturnType<typeof keyOfNew>

/** A turn with a tool, written by each adapter with all that its own form says beyond the chat form. */
const WRITERS: Readonly<Record<string, (database: TestDatabase, key: Key) => Promise<void>>> = {
  async langchain(database, key) {
    const call = { id: 'call_1', name: 'weather', args: { city: 'Oslo' } }
    const history = new BackscrollChatMessageHistory({ store: await database.open(), ...key })
    await history.addMessages([
      new HumanMessage({ content: 'Do I need a coat?', id: 'human-1' }),
      new AIMessage({ content: '', tool_calls: [call], id: 'run-1', response_metadata: { model: 'm' } }),
      new ToolMessage({ content: '-4', tool_call_id: 'call_1', artifact: { raw: -4 } }),
      new AIMessage({ content: 'Yes.', id: 'run-2' }),
    ])
  },
  async 'openai-agents'(database, key) {
    const session = new BackscrollSession({ store: await database.open(), ...key })
    await session.addItems([
      { type: 'message', role: 'user', content: 'Do I need a coat?', id: 'item-1' },
      { type: 'function_call', callId: 'call_1', name: 'weather', arguments: '{"city":"Oslo"}', id: 'fc-1' },
      {
        type: 'function_call_result',
        callId: 'call_1',
        name: 'weather',
        status: 'completed',
        output: { type: 'text', text: '-4' },
      },
      {
        type: 'message',
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text: 'Yes.' }],
      },
    ])
  },
  async 'ai-sdk'(database, key) {
    const store = await database.open()
    await saveModelMessages(store.conversation({ ...key, framing: 'chat' }), [
      { role: 'user', content: 'Do I need a coat?', providerOptions: { openai: { a: 1 } } },
      {
        role: 'assistant',
        content: [{ type: 'tool-call', toolCallId: 'call_1', toolName: 'weather', input: { city: 'Oslo' } }],
      },
      {
        role: 'tool',
        content: [
          {
            type: 'tool-result',
            toolCallId: 'call_1',
            toolName: 'weather',
            output: { type: 'text', value: '-4' },
          },
        ],
      },
      { role: 'assistant', content: [{ type: 'text', text: 'Yes.' }] },
    ])
  },
}

/** What a model has to be told of that turn, in chat form. */
const CALL = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } }

onEachDatabase('a turn that an adapter wrote', (database) => {
  it.each(Object.keys(WRITERS))(
    'goes to a model of the chain as chat messages and no more: %s',
    async (name) => {
      const key = keyOfNew()
      await WRITERS[name]!(database, key)
      await using server = await startModelServer([{ content: 'Take it.' }])
      const chain = await chainOn(database, server, { memory: { ...key, returnMessages: true } })
      await chain.predict({ input: 'Which one?' })
      const messages = messagesIn(server.requests.at(-1)!)
      const [asked, called, told, answered, next] = messages.map((message) => withText(message))
      expect(asked).toEqual({ role: 'user', content: 'Do I need a coat?' })
      expect(called).toMatchObject({ role: 'assistant', tool_calls: [CALL] })
      expect(told).toMatchObject({ role: 'tool', tool_call_id: 'call_1', content: '-4' })
      expect(answered).toEqual({ role: 'assistant', content: 'Yes.' })
      expect(next).toEqual({ role: 'user', content: 'Which one?' })
      const known = ['role', 'content', 'name', 'tool_calls', 'tool_call_id', 'refusal']
      expect(
        messages.flatMap((message) => Object.keys(message)).filter((field) => !known.includes(field)),
      ).toEqual([])
    },
  )

  it.each(Object.keys(WRITERS))('is read by every adapter: %s', async (name) => {
    const key = keyOfNew()
    await WRITERS[name]!(database, key)
    const store = await database.open()
    const ofLangChain = await new BackscrollChatMessageHistory({ store, ...key }).getMessages()
    expect(ofLangChain.map((message) => message.getType())).toEqual(['human', 'ai', 'tool', 'ai'])
    expect((ofLangChain[1] as AIMessage).tool_calls).toMatchObject([{ id: 'call_1', args: { city: 'Oslo' } }])
    expect(ofLangChain.at(-1)?.text).toBe('Yes.')
    const ofAgents = await new BackscrollSession({ store, ...key }).getItems()
    expect(ofAgents.map(({ type = 'message' }) => type).filter((type) => type !== 'message')).toEqual([
      'function_call',
      'function_call_result',
    ])
    const ofAiSdk = await loadModelMessages(store.conversation({ ...key, framing: 'chat' }), {
      maxTokens: 1000,
    })
    expect(ofAiSdk.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'assistant'])
  })
})

onEachDatabase('a window that begins behind a call, since a person spoke while its tool ran', (database) => {
  it('has not the result, whichever adapter loads it, and whatever the chain sends', async () => {
    const store = await database.open()
    const key = keyOfNew()
    const conversation = store.conversation({ ...key, framing: 'chat' })
    await conversation.addMessages([
      { role: 'user', content: 'Is it cold? '.repeat(30) },
      { role: 'assistant', content: null, tool_calls: [CALL as ToolCall] },
      { role: 'user', content: 'Hurry.' },
      { role: 'tool', tool_call_id: 'call_1', content: '-4' },
      { role: 'assistant', content: 'It is.' },
    ])
    const window = { maxTokens: 40 }
    const ofLangChain = await new BackscrollChatMessageHistory({ store, ...key, ...window }).getMessages()
    expect(ofLangChain.map((message) => message.getType())).toEqual(['human', 'ai'])
    const ofAgents = await new BackscrollSession({ store, ...key, ...window }).getItems()
    expect(ofAgents.map((item) => ('role' in item ? item.role : item.type))).toEqual(['user', 'assistant'])
    const ofAiSdk = await loadModelMessages(conversation, window)
    expect(ofAiSdk.map(({ role }) => role)).toEqual(['user', 'assistant'])
    await using server = await startModelServer([{ content: 'Take a coat.' }])
    const chain = await chainOn(database, server, {
      memory: { ...key, returnMessages: true, maxTokenLimit: 40 },
    })
    await chain.predict({ input: 'And?' })
    const sent = messagesIn(server.requests.at(-1)!)
    expect(sent.map(({ role }) => role)).toEqual(['user', 'assistant', 'user'])
  })
})

describe('the field in which an adapter keeps what the chat form does not say', () => {
  it('is known to the chain, which leaves it out of requests', async () => {
    const { toPlainMessage } = await import('../src/chain/plain-message.ts')
    const plain: Message = { role: 'user', content: 'hi', name: 'ada' }
    for (const field of ['langchain', 'agents_item', 'ai_sdk']) {
      expect(toPlainMessage({ ...plain, [field]: {} } as Message)).toEqual(plain)
    }
    expect(toPlainMessage({ ...plain, note: 1 } as Message)).toEqual({ ...plain, note: 1 })
  })
})

/** Content as text, which some write as one part of text. */
function withText(message: Message): unknown {
  const { content } = message
  const [only] = Array.isArray(content) && content.length === 1 ? content : []
  return only?.type === 'text' ? { ...message, content: only.text } : message
}
