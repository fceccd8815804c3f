import {
  AIMessage,
  AIMessageChunk,
  BaseMessage,
  ChatMessage,
  FunctionMessage,
  HumanMessage,
  HumanMessageChunk,
  RemoveMessage,
  SystemMessage,
  ToolMessage,
} from '@langchain/core/messages'
import * as fc from 'fast-check'
import { beforeAll, expect, it } from 'vitest'
import type { ConversationStore, Message } from '../src/index.ts'
import { BackscrollChatMessageHistory, type BackscrollChatMessageHistoryOptions } from '../src/langchain.ts'
import { anyMessage } from './langchain/arbitraries.ts'
import { shown } from './langchain/shown.ts'
import { onEachDatabase } from './support/databases.ts'

/** Fixed, so that a failure comes again. */
const SEED = 20261123
const RUNS = 60

/** A text that must be in no error. */
const CANARY = 'Quetzalcoatl owes 4711 dollars to Zarathustra'

const CALL = { name: 'weather', args: { city: 'Oslo' }, id: 'call_1', type: 'tool_call' as const }
const CHAT_CALL = {
  id: 'call_1',
  type: 'function' as const,
  function: { name: 'weather', arguments: '{"city":"Oslo"}' },
}

const USAGE = { input_tokens: 1, output_tokens: 2, total_tokens: 3 }

/** A message of LangChain, and what stands in the table for it. */
const FORMS: readonly (readonly [string, BaseMessage, unknown])[] = [
  ['a human message', new HumanMessage('hi'), { role: 'user', content: 'hi' }],
  [
    'an id and a name',
    new HumanMessage({ content: 'hi', id: 'h1', name: 'Ada' }),
    { role: 'user', content: 'hi', name: 'Ada', langchain: { type: 'human', data: { id: 'h1' } } },
  ],
  [
    'content in chat form',
    new HumanMessage({
      content: [
        { type: 'text', text: 'Who is this?' },
        { type: 'image_url', image_url: { url: 'https://a.b/c' } },
      ],
    }),
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Who is this?' },
        { type: 'image_url', image_url: { url: 'https://a.b/c' } },
      ],
    },
  ],
  [
    "an image in LangChain's own form",
    new HumanMessage({ content: [{ type: 'image', data: 'QQ==', mimeType: 'image/png' }] }),
    {
      role: 'user',
      content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,QQ==' } }],
      langchain: {
        type: 'human',
        data: { content: [{ type: 'image', data: 'QQ==', mimeType: 'image/png' }] },
      },
    },
  ],
  ['an answer', new AIMessage('hello'), { role: 'assistant', content: 'hello' }],
  [
    'calls of tools',
    new AIMessage({ content: '', tool_calls: [CALL] }),
    { role: 'assistant', content: '', tool_calls: [CHAT_CALL] },
  ],
  [
    'a call whose arguments are not JSON',
    new AIMessage({
      content: '',
      invalid_tool_calls: [
        {
          name: 'weather',
          args: '{"city":',
          id: 'call_2',
          error: 'Malformed args.',
          type: 'invalid_tool_call',
        },
      ],
    }),
    {
      role: 'assistant',
      content: '',
      tool_calls: [{ id: 'call_2', type: 'function', function: { name: 'weather', arguments: '{"city":' } }],
    },
  ],
  [
    'usage and metadata',
    new AIMessage({
      content: 'hello',
      response_metadata: { finish_reason: 'stop' },
      usage_metadata: USAGE as never,
    }),
    {
      role: 'assistant',
      content: 'hello',
      langchain: {
        type: 'ai',
        data: {
          response_metadata: { finish_reason: 'stop' },
          usage_metadata: USAGE,
        },
      },
    },
  ],
  [
    'reasoning and a call within the content',
    new AIMessage({
      content: [
        { type: 'thinking', thinking: 'Oslo is cold.', signature: 's' },
        { type: 'tool_use', id: 'call_1', name: 'weather', input: { city: 'Oslo' } },
      ],
      tool_calls: [CALL],
    }),
    {
      role: 'assistant',
      content: [{ type: 'text', text: 'Oslo is cold.' }],
      tool_calls: [CHAT_CALL],
      langchain: {
        type: 'ai',
        data: {
          content: [
            { type: 'thinking', thinking: 'Oslo is cold.', signature: 's' },
            { type: 'tool_use', id: 'call_1', name: 'weather', input: { city: 'Oslo' } },
          ],
        },
      },
    },
  ],
  [
    'a refusal',
    new AIMessage({ content: '', additional_kwargs: { refusal: 'I cannot.' } }),
    { role: 'assistant', content: null, refusal: 'I cannot.' },
  ],
  [
    'a call from before there were tools',
    new AIMessage({ content: '', additional_kwargs: { function_call: { name: 'f', arguments: '{}' } } }),
    {
      role: 'assistant',
      content: '{"name":"f","arguments":"{}"}',
      langchain: {
        type: 'ai',
        data: { content: '', additional_kwargs: { function_call: { name: 'f', arguments: '{}' } } },
      },
    },
  ],
  ['a system message', new SystemMessage('Be brief.'), { role: 'system', content: 'Be brief.' }],
  [
    "a developer's message",
    new SystemMessage({ content: 'Be brief.', additional_kwargs: { __openai_role__: 'developer' } }),
    { role: 'developer', content: 'Be brief.' },
  ],
  [
    "a tool's result",
    new ToolMessage({ content: '-12', tool_call_id: 'call_1' }),
    { role: 'tool', content: '-12', tool_call_id: 'call_1' },
  ],
  [
    "a tool's failure with an artifact",
    new ToolMessage({
      content: 'no',
      tool_call_id: 'call_1',
      name: 'weather',
      status: 'error',
      artifact: [1, { a: null }],
    }),
    {
      role: 'tool',
      content: 'no',
      name: 'weather',
      tool_call_id: 'call_1',
      langchain: { type: 'tool', data: { status: 'error', artifact: [1, { a: null }] } },
    },
  ],
  [
    "a function's result",
    new FunctionMessage({ content: '4', name: 'add' }),
    {
      role: 'assistant',
      content: '4',
      name: 'add',
      langchain: {
        type: 'function',
        data: { content: '4', name: 'add', additional_kwargs: {}, response_metadata: {} },
      },
    },
  ],
  [
    "a role of the host's own",
    new ChatMessage('Hm.', 'critic'),
    {
      role: 'assistant',
      content: 'Hm.',
      langchain: {
        type: 'generic',
        data: { content: 'Hm.', role: 'critic', additional_kwargs: {}, response_metadata: {} },
      },
    },
  ],
  [
    'the removal of a message',
    new RemoveMessage({ id: 'h1' }),
    {
      role: 'assistant',
      content: '',
      langchain: {
        type: 'remove',
        data: { id: 'h1', content: [], additional_kwargs: {}, response_metadata: {} },
      },
    },
  ],
]

onEachDatabase('messages of LangChain', (database) => {
  let store: ConversationStore
  beforeAll(async () => void (store = await database.open()))

  /** A history of a conversation of its own. */
  let made = 0
  function historyOf(options: Partial<BackscrollChatMessageHistoryOptions> = {}) {
    const conversationId = `messages ${++made}`
    return new BackscrollChatMessageHistory({
      store,
      userId: 'ada',
      conversationId,
      countPart: () => 85,
      ...options,
    })
  }

  async function storedIn(history: BackscrollChatMessageHistory): Promise<Message[]> {
    return (await history.conversation.listTurns()).flatMap(({ messages }) => messages)
  }

  it.each(FORMS)('are kept in chat form, and come back as they were: %s', async (_, message, stored) => {
    const history = historyOf()
    await history.addMessage(message)
    expect(await storedIn(history)).toEqual([stored])
    const loaded = await history.getMessages()
    expect(shown(loaded)).toEqual(shown([message]))
    expect(loaded[0]!.toDict()).toEqual(message.toDict())
  })

  it('come back as they were, whatever they hold', async () => {
    const property = fc.asyncProperty(
      fc.array(anyMessage, { minLength: 1, maxLength: 6 }),
      async (messages) => {
        const history = historyOf()
        const before = shown(messages)
        await history.addMessages(messages)
        expect(shown(await history.getMessages())).toEqual(before)
        expect(shown(messages), 'the messages that were given').toEqual(before)
      },
    )
    await fc.assert(property, { seed: SEED, numRuns: RUNS })
  })

  it('that are chunks of a stream come back as the message that these make', async () => {
    const pieces = [
      new AIMessageChunk({ content: 'Let me ', id: 'run-1' }),
      new AIMessageChunk({ content: 'look.', response_metadata: { model: 'fake' } }),
      new AIMessageChunk({
        content: '',
        tool_call_chunks: [{ name: 'weather', args: '{"ci', id: 'call_1', index: 0 }],
      }),
      new AIMessageChunk({ content: '', tool_call_chunks: [{ args: 'ty":"Oslo"}', index: 0 }] }),
      new AIMessageChunk({
        content: '',
        tool_call_chunks: [{ name: 'broken', args: 'x', id: 'call_2', index: 1 }],
      }),
    ]
    const whole = pieces.reduce((one, next) => one.concat(next))
    const history = historyOf()
    await history.addMessages([new HumanMessageChunk('Cold?'), whole])

    const expected = [
      new HumanMessage('Cold?'),
      new AIMessage({
        content: 'Let me look.',
        id: 'run-1',
        response_metadata: { model: 'fake' },
        tool_calls: [CALL],
        invalid_tool_calls: [
          { name: 'broken', args: 'x', id: 'call_2', error: 'Malformed args.', type: 'invalid_tool_call' },
        ],
      }),
    ]
    const loaded = await history.getMessages()
    expect(shown(loaded)).toEqual(shown(expected))
    expect(loaded.map((message) => message.toDict())).toEqual(expected.map((message) => message.toDict()))
  })

  it('that others wrote in chat form load as good messages', async () => {
    const history = historyOf()
    await history.conversation.append([
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'text', text: 'Is it cold?' }], name: 'Ada' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          CHAT_CALL,
          { id: 'call_2', type: 'function', function: { name: 'now', arguments: '' } },
          { id: 'call_3', type: 'function', function: { name: 'sum', arguments: '[1]' } },
          { id: 'call_4', type: 'custom', custom: { name: 'shell', input: 'ls' } },
        ],
      },
      { role: 'tool', content: '-12', tool_call_id: 'call_1' },
      { role: 'assistant', content: null, refusal: 'I cannot say.' },
    ])
    expect(shown(await history.getMessages())).toEqual(
      shown([
        new SystemMessage({ content: 'Be brief.', additional_kwargs: { __openai_role__: 'developer' } }),
        new HumanMessage({ content: [{ type: 'text', text: 'Is it cold?' }], name: 'Ada' }),
        new AIMessage({
          content: '',
          tool_calls: [
            CALL,
            { name: 'now', args: {}, id: 'call_2', type: 'tool_call' },
            {
              name: 'shell',
              args: { input: 'ls' },
              id: 'call_4',
              type: 'tool_call',
              isCustomTool: true,
            } as never,
          ],
          invalid_tool_calls: [
            { name: 'sum', args: '[1]', id: 'call_3', error: 'Malformed args.', type: 'invalid_tool_call' },
          ],
        }),
        new ToolMessage({ content: '-12', tool_call_id: 'call_1' }),
        new AIMessage({ content: '', additional_kwargs: { refusal: 'I cannot say.' } }),
      ]),
    )
  })

  it('that were given as { role, content } or as a pair come back as messages', async () => {
    const history = historyOf()
    const likes = [{ role: 'user', content: 'hi' }, ['ai', 'hello'], 'And you?'] as unknown as BaseMessage[]
    await history.addMessages(likes)
    expect(shown(await history.getMessages())).toEqual(
      shown([new HumanMessage('hi'), new AIMessage('hello'), new HumanMessage('And you?')]),
    )
  })

  it('follow a text that was changed in the database', async () => {
    const history = historyOf()
    await history.addMessage(new HumanMessage({ content: CANARY, id: 'h1' }))
    const [message] = await storedIn(history)
    await history.conversation.replaceNewest([message!], [{ ...message!, content: 'redacted' } as Message])
    expect(shown(await history.getMessages())).toEqual(
      shown([new HumanMessage({ content: 'redacted', id: 'h1' })]),
    )
  })

  it('with bytes come back with them as base64', async () => {
    const history = historyOf()
    const bytes = new Uint8Array([1, 2, 255])
    await history.addMessage(
      new HumanMessage({ content: [{ type: 'image', data: bytes, mimeType: 'image/png' }] }),
    )
    const [loaded] = await history.getMessages()
    expect(loaded!.content).toEqual([{ type: 'image', data: 'AQL/', mimeType: 'image/png' }])
  })

  it('with an image need its price, and are refused before anything is written without one', async () => {
    const image = new HumanMessage({ content: [{ type: 'image', url: 'https://a.b/c' }] })
    const without = historyOf({ countPart: undefined })
    await expect(without.addMessages([new HumanMessage('hi'), image])).rejects.toMatchObject({
      code: 'MISSING_TOKEN_COUNT',
    })
    expect(await without.getMessages()).toEqual([])

    const asked: unknown[] = []
    const history = historyOf({ countPart: (part) => asked.push(part) && 85 })
    await history.addMessage(image)
    expect(asked).toContainEqual({ type: 'image_url', image_url: { url: 'https://a.b/c' } })
    expect((await history.conversation.listTurns())[0]!.tokenCount).toBe(3 + 1 + 85)
  })

  it("with media of any form are priced in OpenAI's form, and as they are where that has none", async () => {
    const priced: [unknown, unknown][] = [
      [
        { type: 'image_url', image_url: 'https://a.b/c' },
        { type: 'image_url', image_url: { url: 'https://a.b/c' } },
      ],
      [
        { type: 'image', source_type: 'base64', data: 'QQ==', mime_type: 'image/png' },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,QQ==' } },
      ],
      [
        { type: 'image', source: { type: 'base64', data: 'QQ==', media_type: 'image/png' } },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,QQ==' } },
      ],
      [
        { type: 'audio', data: 'QQ==', mimeType: 'audio/mpeg' },
        { type: 'input_audio', input_audio: { data: 'QQ==', format: 'mp3' } },
      ],
      [
        { type: 'file', fileId: 'file-1' },
        { type: 'file', file: { file_id: 'file-1' } },
      ],
      [
        { type: 'file', data: 'QQ==', mimeType: 'application/pdf' },
        { type: 'file', file: { file_data: 'data:application/pdf;base64,QQ==' } },
      ],
      [
        { type: 'video', url: 'https://a.b/c' },
        { type: 'video', url: 'https://a.b/c' },
      ],
      [
        { type: 'image', fileId: 'file-1' },
        { type: 'image', fileId: 'file-1' },
      ],
    ]
    const asked: unknown[] = []
    const history = historyOf({ countPart: (part) => asked.push(part) && 85 })
    const message = new HumanMessage({ content: priced.map(([given]) => given) as never })
    await history.addMessage(message)
    expect(asked).toEqual(priced.map(([, part]) => part))
    expect(shown(await history.getMessages())).toEqual(shown([message]))
  })

  class OtherMessage extends BaseMessage {
    type = 'other' as const
  }
  const circular: Record<string, unknown> = { text: CANARY }
  circular['itself'] = circular
  const refused: [string, unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['a number', 5],
    ['an object that is no message', { text: CANARY }],
    ['a role that there is not', { role: CANARY, content: CANARY }],
    ['a class of its own', new OtherMessage(CANARY)],
    ['a result of no call', new ToolMessage({ content: CANARY } as never)],
    ['a function without a name', new FunctionMessage({ content: CANARY } as never)],
    ['a circle', new HumanMessage({ content: CANARY, additional_kwargs: circular })],
    ['a bigint', new HumanMessage({ content: CANARY, additional_kwargs: { n: 1n } })],
    ['a function', new HumanMessage({ content: CANARY, additional_kwargs: { f: () => CANARY, n: 1 } })],
    ['a name that is a number', new HumanMessage({ content: CANARY, name: 5 as unknown as string })],
  ]
  it.each(refused)('are refused at the door, and nothing is written: %s', async (_, message) => {
    const history = historyOf()
    const adding = history.addMessages([new HumanMessage('hi'), message as BaseMessage])
    const error: Error = await adding.then(
      () => expect.unreachable('it was taken'),
      (reason) => reason,
    )
    expect(error).toMatchObject({ code: 'INVALID_MESSAGE' })
    expect(error.message).not.toContain(CANARY)
    expect(error.cause).toBeUndefined()
    expect(await history.getMessages()).toEqual([])
  })

  it('are added as an array, and as nothing else', async () => {
    const adding = historyOf().addMessages(new HumanMessage('hi') as unknown as BaseMessage[])
    await expect(adding).rejects.toMatchObject({ code: 'INVALID_MESSAGE' })
  })

  it.each([
    ['a text', CANARY],
    ['null', null],
    ['a type that there is not', { type: 'other', data: { content: CANARY } }],
    ['a call of a function that is none', undefined, [{ id: 'call_1' }]],
  ])('are not guessed at where something else changed them: %s', async (_, langchain, calls?: unknown) => {
    const history = historyOf()
    const message = { role: 'assistant', content: 'hi', langchain, tool_calls: calls }
    await history.conversation.append([message as unknown as Message])
    const error: Error = await history.getMessages().then(
      () => expect.unreachable('it was read'),
      (reason) => reason,
    )
    expect(error).toMatchObject({ code: 'CORRUPT_DATA' })
    expect(error.message).not.toContain(CANARY)
  })
})
