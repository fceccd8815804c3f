import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { AssistantMessage, ChainEvent, Message, RunTool, Tool, ToolCall } from '../src/index.ts'
import type { Answer } from '../src/local-model/model.ts'
import { startServer } from '../src/local-model/server.ts'
import { chainOn, collect, messagesIn, toolsIn, say, storedMessages } from './support/chains.ts'
import { onEachDatabase } from './support/databases.ts'
import { expectConsistent } from './support/inspect.ts'
import { startModelServer } from './support/model-server.ts'
import { chatTokens, oracleCount } from './support/oracle.ts'

const WAYS = (['chat', 'responses'] as const).flatMap((api) =>
  [false, true].map((streaming) => ({ api, streaming })),
)

const TOOLS: readonly Tool[] = [
  {
    type: 'function',
    function: {
      name: 'weather',
      description: 'Tells the weather.',
      parameters: { type: 'object', properties: { city: { type: 'string' } } },
    },
  },
  { type: 'custom', custom: { name: 'run', description: 'Runs a program.' } },
]

/** Built before the tests: it takes so long that connections which wait meanwhile are closed. */
const count = oracleCount('o200k_base')

const OSLO = callOf('call_1', 'weather', '{"city":"Oslo"}')
const ROME = callOf('call_2', 'weather', '{"city": "Rome"}')
const RUN: ToolCall = { id: 'call_3', type: 'custom', custom: { name: 'run', input: 'print(1)\nprint("é")' } }

function callOf(id: string, name: string, args: string): ToolCall {
  return { id, type: 'function', function: { name, arguments: args } }
}

/** Answers each call with its name and what it was called with. */
const echo: RunTool = (call) =>
  call.type === 'custom'
    ? `${call.custom.name}: ${call.custom.input}`
    : `${call.function.name}: ${call.function.arguments}`

onEachDatabase('a chain with tools', (database) => {
  it.each(WAYS)(
    'runs the calls of a reply all at once and answers them in order, streaming: $streaming, on $api',
    async (way) => {
      await using server = await startModelServer([
        { content: 'Let me look. ', toolCalls: [OSLO, ROME, RUN] },
        { content: 'Rain, sun, 1.' },
      ])
      const begun: ToolCall[] = []
      const waiting: (() => void)[] = []
      const finished: string[] = []
      const chain = await chainOn(database, server, {
        api: way.api,
        tools: TOOLS,
        memory: { returnMessages: true },
        runTool(call) {
          begun.push(call)
          return new Promise((resolve) => {
            waiting.unshift(() => {
              finished.push(call.id)
              resolve(`result of ${call.id}`)
            })
            // Nobody is done before all have begun, and the last is done first.
            if (waiting.length === 3) for (const finish of waiting) finish()
          })
        },
      })

      const reply = await say(chain, 'How is it?', way)
      // A stream shows what is said between the calls as well; a prediction is the answer alone.
      expect(reply).toBe(way.streaming ? 'Let me look. Rain, sun, 1.' : 'Rain, sun, 1.')
      expect(begun).toEqual([OSLO, ROME, RUN])
      expect(finished).toEqual(['call_3', 'call_2', 'call_1'])
      const turn: Message[] = [
        { role: 'user', content: 'How is it?' },
        { role: 'assistant', content: 'Let me look. ', tool_calls: [OSLO, ROME, RUN] },
        { role: 'tool', tool_call_id: 'call_1', content: 'result of call_1' },
        { role: 'tool', tool_call_id: 'call_2', content: 'result of call_2' },
        { role: 'tool', tool_call_id: 'call_3', content: 'result of call_3' },
        { role: 'assistant', content: 'Rain, sun, 1.' },
      ]
      expect(await storedMessages(chain)).toEqual([turn])
      await expectConsistent(database, chain.memory.conversation)

      const second = messagesIn(server.requests[1]!)
      if (way.api === 'chat') expect(second).toEqual(turn.slice(0, -1))
      else
        expect(second).toMatchObject([
          { role: 'user', content: 'How is it?' },
          { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Let me look. ' }] },
          { type: 'function_call', call_id: 'call_1', name: 'weather', arguments: '{"city":"Oslo"}' },
          { type: 'function_call', call_id: 'call_2', name: 'weather', arguments: '{"city": "Rome"}' },
          { type: 'custom_tool_call', call_id: 'call_3', name: 'run', input: 'print(1)\nprint("é")' },
          { type: 'function_call_output', call_id: 'call_1', output: 'result of call_1' },
          { type: 'function_call_output', call_id: 'call_2', output: 'result of call_2' },
          { type: 'custom_tool_call_output', call_id: 'call_3', output: 'result of call_3' },
        ])
    },
  )

  it.each(WAYS)(
    'goes through several rounds and stores them as one turn, which the next request sends whole, streaming: $streaming, on $api',
    async (way) => {
      await using server = await startModelServer([
        { toolCalls: [OSLO] },
        { content: 'And then', toolCalls: [RUN, ROME] },
        { content: 'Done.' },
        { content: 'Yes.' },
      ])
      const events: ChainEvent[] = []
      const chain = await chainOn(database, server, {
        api: way.api,
        tools: TOOLS,
        runTool: echo,
        memory: { returnMessages: true },
        verbose: (event) => events.push(event),
      })
      await say(chain, 'Go.', way)

      const turn: Message[] = [
        { role: 'user', content: 'Go.' },
        { role: 'assistant', content: null, tool_calls: [OSLO] },
        { role: 'tool', tool_call_id: 'call_1', content: 'weather: {"city":"Oslo"}' },
        { role: 'assistant', content: 'And then', tool_calls: [RUN, ROME] },
        { role: 'tool', tool_call_id: 'call_3', content: 'run: print(1)\nprint("é")' },
        { role: 'tool', tool_call_id: 'call_2', content: 'weather: {"city": "Rome"}' },
        { role: 'assistant', content: 'Done.' },
      ]
      expect(await storedMessages(chain)).toEqual([turn])
      const toolTokens = count(JSON.stringify(toolsIn(server.requests[0]!)))
      expect(
        events.map((event) => (event.type === 'saved' ? event.type : `${event.type} ${event.round}`)),
      ).toEqual(['prompt 1', 'reply 1', 'prompt 2', 'reply 2', 'prompt 3', 'reply 3', 'saved'])
      expect(events.flatMap((event) => (event.type === 'prompt' ? event.tokens : []))).toEqual(
        [1, 3, 6].map((length) => chatTokens(turn.slice(0, length), count) + toolTokens + 3),
      )
      expect(events.flatMap((event) => (event.type === 'reply' ? [event.toolCalls] : []))).toEqual([
        [OSLO],
        [RUN, ROME],
        [],
      ])

      await say(chain, 'Sure?', way)
      const question = { role: 'user', content: 'Sure?' }
      const items = [
        { role: 'user', content: 'Go.' },
        { type: 'function_call', call_id: 'call_1', name: 'weather', arguments: '{"city":"Oslo"}' },
        { type: 'function_call_output', call_id: 'call_1', output: 'weather: {"city":"Oslo"}' },
        { role: 'assistant', content: 'And then' },
        { type: 'custom_tool_call', call_id: 'call_3', name: 'run', input: 'print(1)\nprint("é")' },
        { type: 'function_call', call_id: 'call_2', name: 'weather', arguments: '{"city": "Rome"}' },
        { type: 'custom_tool_call_output', call_id: 'call_3', output: 'run: print(1)\nprint("é")' },
        { type: 'function_call_output', call_id: 'call_2', output: 'weather: {"city": "Rome"}' },
        { role: 'assistant', content: 'Done.' },
      ]
      expect(messagesIn(server.requests[3]!)).toEqual([...(way.api === 'chat' ? turn : items), question])
    },
  )

  it('has the exchange below the prompt on a memory of a string, and in the history of the next', async () => {
    await using server = await startModelServer([
      { toolCalls: [OSLO] },
      { content: 'Rain.' },
      { content: 'Yes.' },
    ])
    const prompts: string[] = []
    const chain = await chainOn(database, server, {
      tools: TOOLS,
      runTool: () => 'rain',
      prompt: '{history}|{input}',
      verbose: (event) => event.type === 'prompt' && prompts.push(event.prompt),
    })
    await chain.predict({ input: 'Oslo?' })
    await chain.predict({ input: 'Sure?' })

    const exchange = `AI: ${JSON.stringify([OSLO])}\nTool: rain`
    const history = `Human: Oslo?\n${exchange}\nAI: Rain.`
    expect(server.requests.map(messagesIn)).toEqual([
      [{ role: 'user', content: '|Oslo?' }],
      [
        { role: 'user', content: '|Oslo?' },
        { role: 'assistant', content: null, tool_calls: [OSLO] },
        { role: 'tool', tool_call_id: 'call_1', content: 'rain' },
      ],
      [{ role: 'user', content: `${history}|Sure?` }],
    ])
    expect(prompts).toEqual(['|Oslo?', `|Oslo?\n${exchange}`, `${history}|Sure?`])
  })

  it('prints one prompt and one end under verbose: true, and no end of a turn that failed', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {})
    onTestFinished(() => log.mockRestore())
    await using server = await startModelServer([
      { toolCalls: [OSLO] },
      { content: 'Rain.' },
      { toolCalls: [OSLO], finishReason: 'length' },
    ])
    const chain = await chainOn(database, server, { tools: TOOLS, runTool: echo, verbose: true })
    await chain.predict({ input: 'Oslo?' })
    await expect(chain.predict({ input: 'Rome?' })).rejects.toMatchObject({ code: 'INCOMPLETE_REPLY' })
    const lines = log.mock.calls.flatMap(
      ([line]) => String(line).match(/> .*chain\.|^Prompt|^Human: .*$/gm) ?? [],
    )
    expect(lines).toEqual([
      ...['> Entering new ConversationChain chain.', 'Prompt', 'Human: Oslo?', '> Finished chain.'],
      ...['> Entering new ConversationChain chain.', 'Prompt', 'Human: Oslo?', 'Human: Rome?'],
    ])
  })

  it('offers the tools with each request, in the words of the endpoint', async () => {
    const grammar = { type: 'grammar', grammar: { syntax: 'regex', definition: '[0-9]+' } }
    const tools: Tool[] = [
      ...TOOLS,
      { type: 'function', function: { name: 'exact', parameters: { type: 'object' }, strict: true } },
      { type: 'function', function: { name: 'bare' } },
      { type: 'custom', custom: { name: 'digits', format: grammar } },
      { type: 'custom', custom: { name: 'free', format: { type: 'text' } } },
    ]
    await using server = await startModelServer((): Answer => ({ content: 'No need.' }))
    for (const api of ['chat', 'responses'] as const) {
      const chain = await chainOn(database, server, { api, tools, runTool: echo })
      await chain.predict({ input: 'hi' })
    }
    const [chat, responses] = server.requests.map(({ body }) => (body as { tools: unknown }).tools)
    expect(chat).toEqual(tools)
    expect(responses).toEqual([
      {
        type: 'function',
        name: 'weather',
        description: 'Tells the weather.',
        parameters: { type: 'object', properties: { city: { type: 'string' } } },
        strict: false,
      },
      { type: 'custom', name: 'run', description: 'Runs a program.' },
      { type: 'function', name: 'exact', parameters: { type: 'object' }, strict: true },
      { type: 'function', name: 'bare', parameters: null, strict: false },
      { type: 'custom', name: 'digits', format: { type: 'grammar', syntax: 'regex', definition: '[0-9]+' } },
      { type: 'custom', name: 'free', format: { type: 'text' } },
    ])
  })

  it.each<readonly [result: unknown, text: string]>([
    ['', ''],
    [' as\nit is ', ' as\nit is '],
    [{ degrees: -3.5, sky: null }, '{"degrees":-3.5,"sky":null}'],
    [[], '[]'],
    [42, '42'],
    [false, 'false'],
    [null, 'null'],
    [undefined, ''],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
  ])('gives a result of %j to the model as text', async (result, content) => {
    await using server = await startModelServer([{ toolCalls: [OSLO] }, { content: 'Noted.' }])
    const chain = await chainOn(database, server, { tools: TOOLS, runTool: () => result })
    await chain.predict({ input: 'hi' })
    expect(messagesIn(server.requests[1]!).at(-1)).toEqual({ role: 'tool', tool_call_id: 'call_1', content })
  })

  const cyclic: { self?: object } = {}
  cyclic.self = cyclic

  it.each([() => 'later', Symbol('result'), 10n, cyclic])(
    'refuses a result that is no text and no JSON: %s',
    async (result) => {
      await using server = await startModelServer([{ toolCalls: [OSLO] }])
      const chain = await chainOn(database, server, { tools: TOOLS, runTool: () => result })
      await expect(chain.predict({ input: 'hi' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      expect(await storedMessages(chain)).toEqual([])
    },
  )

  it('gives a tool the signal of the call, and none where there is none', async () => {
    await using server = await startModelServer([
      { toolCalls: [OSLO] },
      { content: 'One.' },
      { toolCalls: [OSLO] },
      { content: 'Two.' },
    ])
    const signals: unknown[] = []
    const chain = await chainOn(database, server, {
      tools: TOOLS,
      runTool: (_call, { signal }) => `${signals.push(signal)}`,
    })
    const { signal } = new AbortController()
    await chain.predict({ input: 'hi' }, { signal })
    await chain.predict({ input: 'hi' })
    expect(signals).toEqual([signal, undefined])
    expect(signals[0]).toBe(signal)
  })

  it.each(WAYS)(
    'passes on what a tool throws, stores nothing and goes on, streaming: $streaming, on $api',
    async (way) => {
      const unhandled: unknown[] = []
      const note = (error: unknown) => unhandled.push(error)
      process.on('unhandledRejection', note)
      onTestFinished(() => void process.off('unhandledRejection', note))
      await using server = await startModelServer([
        { content: 'First. ', toolCalls: [OSLO] },
        { content: 'Then. ', toolCalls: [RUN, ROME] },
        { content: 'Back again.' },
      ])
      const failure = new Error('The tool is out of order.')
      const chain = await chainOn(database, server, {
        api: way.api,
        tools: TOOLS,
        async runTool({ id }) {
          if (id === 'call_1') return 'rain'
          throw id === 'call_3' ? failure : new Error('So is the other.')
        },
      })

      await expect(say(chain, 'Go.', way)).rejects.toBe(failure)
      expect(await storedMessages(chain)).toEqual([])
      expect(await say(chain, 'And now?', way)).toBe('Back again.')
      expect(server.requests).toHaveLength(3)
      expect(unhandled).toEqual([])
    },
  )

  it('is aborted by a tool that fails as it aborts, and no failure is left unhandled', async () => {
    const unhandled: unknown[] = []
    const note = (error: unknown) => unhandled.push(error)
    process.on('unhandledRejection', note)
    onTestFinished(() => void process.off('unhandledRejection', note))
    await using server = await startModelServer([{ toolCalls: [OSLO, ROME] }])
    const controller = new AbortController()
    const stopped = new Error('Stopped by the person.')
    const chain = await chainOn(database, server, {
      tools: TOOLS,
      runTool() {
        controller.abort(stopped)
        throw new Error('The tool was aborted.')
      },
    })
    await expect(chain.predict({ input: 'hi' }, { signal: controller.signal })).rejects.toBe(stopped)
    // Rejections that nobody handles are told after the microtasks.
    await new Promise((resolve) => setImmediate(resolve))
    expect(unhandled).toEqual([])
    expect(await storedMessages(chain)).toEqual([])
  })

  it('passes on what a tool throws at once', async () => {
    await using server = await startModelServer([{ toolCalls: [OSLO, ROME] }])
    const failure = new RangeError('No such city.')
    const runTool = () => {
      throw failure
    }
    const chain = await chainOn(database, server, { tools: TOOLS, runTool })
    await expect(chain.predict({ input: 'hi' })).rejects.toBe(failure)
  })

  it.each(WAYS)(
    'lets the model call maxToolRounds times and no more, streaming: $streaming, on $api',
    async (way) => {
      const calling: Answer = { content: 'Again. ', toolCalls: [OSLO] }
      await using server = await startModelServer([
        ...[calling, calling, { content: 'Done.' }],
        ...[calling, calling, calling],
      ])
      let runs = 0
      const runTool = () => `run ${++runs}`
      const chain = await chainOn(database, server, {
        api: way.api,
        tools: TOOLS,
        runTool,
        maxToolRounds: 2,
      })
      await say(chain, 'Twice.', way)
      expect(runs).toBe(2)

      await expect(say(chain, 'For ever.', way)).rejects.toMatchObject({
        name: 'ToolLoopError',
        code: 'TOOL_LOOP',
        message: 'The model called tools 2 times in a turn and has not answered.',
      })
      expect(runs).toBe(4)
      expect(server.requests).toHaveLength(6)
      expect(await storedMessages(chain)).toHaveLength(1)
    },
  )

  it.each(WAYS)(
    'refuses a call where there are no tools, and a call that was cut off, streaming: $streaming, on $api',
    async (way) => {
      await using server = await startModelServer([
        { toolCalls: [OSLO] },
        { toolCalls: [OSLO], finishReason: 'length' },
      ])
      const without = await chainOn(database, server, { api: way.api })
      await expect(say(without, 'hi', way)).rejects.toMatchObject({ code: 'INCOMPLETE_REPLY' })
      let runs = 0
      const runTool = () => `run ${++runs}`
      const cutOff = await chainOn(database, server, { api: way.api, tools: TOOLS, runTool })
      await expect(say(cutOff, 'hi', way)).rejects.toMatchObject({ code: 'INCOMPLETE_REPLY' })

      expect(runs).toBe(0)
      expect(server.requests).toHaveLength(2)
      expect(await storedMessages(without)).toEqual([])
      expect(await storedMessages(cutOff)).toEqual([])
    },
  )

  describe.each([false, true])('on responses, streaming: %s', (streaming) => {
    it('sends back what the model thought, as it came, and only within the turn', async () => {
      const thought = [
        {
          id: 'rs_1',
          type: 'reasoning',
          summary: [{ type: 'summary_text', text: 'Hm.' }],
          encrypted_content: 'gAAAAB+/==',
        },
        {
          id: 'msg_1',
          type: 'message',
          role: 'assistant',
          status: 'completed',
          phase: 'commentary',
          content: [{ type: 'output_text', text: 'I look. ', annotations: [], logprobs: [] }],
        },
        { id: 'rs_2', type: 'reasoning', summary: [], encrypted_content: 'gAAAAC' },
        {
          id: 'fc_1',
          type: 'function_call',
          status: 'completed',
          call_id: 'call_1',
          name: 'weather',
          arguments: '{"city":"Oslo"}',
        },
      ]
      const usage = {
        input_tokens: 50,
        output_tokens: 90,
        output_tokens_details: { reasoning_tokens: 64 },
      }
      const answer = (content: string) => ({
        status: 'completed',
        output: [
          { id: 'rs_3', type: 'reasoning', summary: [] },
          { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: content }] },
        ],
      })
      const { server, requests } = await startWireServer([
        streaming
          ? responseEvents('I look. ', { status: 'completed', output: thought, usage })
          : [{ status: 'completed', output: thought, usage }],
        streaming ? responseEvents('Rain.', answer('Rain.')) : [answer('Rain.')],
        streaming ? responseEvents('Yes.', answer('Yes.')) : [answer('Yes.')],
      ])
      await using _ = server
      const events: ChainEvent[] = []
      const chain = await chainOn(database, server, {
        api: 'responses',
        tools: TOOLS,
        runTool: () => 'rain',
        memory: { returnMessages: true },
        verbose: (event) => events.push(event),
      })
      await say(chain, 'Oslo?', { streaming })
      await say(chain, 'Sure?', { streaming })

      const output = { type: 'function_call_output', call_id: 'call_1', output: 'rain' }
      expect(messagesIn(requests[1]!)).toEqual([{ role: 'user', content: 'Oslo?' }, ...thought, output])
      expect(messagesIn(requests[2]!)).toEqual([
        { role: 'user', content: 'Oslo?' },
        { role: 'assistant', content: 'I look. ' },
        { type: 'function_call', call_id: 'call_1', name: 'weather', arguments: '{"city":"Oslo"}' },
        output,
        { role: 'assistant', content: 'Rain.' },
        { role: 'user', content: 'Sure?' },
      ])
      // What it thought goes back with the request, and takes as many tokens as its server says.
      const [turn] = await storedMessages(chain)
      expect(events.filter(({ type }) => type === 'prompt')[1]).toMatchObject({
        tokens: chatTokens(turn!.slice(0, 3), count) + 64 + count(JSON.stringify(toolsIn(requests[1]!))) + 3,
      })
    })
  })

  it('sends no reasoning by its id alone to a server that is told to store nothing', async () => {
    const sealed = { id: 'rs_1', type: 'reasoning', summary: [], encrypted_content: 'gAAAAB' }
    const bare = { id: 'rs_2', type: 'reasoning', summary: [] }
    const call = { type: 'function_call', call_id: 'call_1', name: 'weather', arguments: '{}' }
    const output = { type: 'function_call_output', call_id: 'call_1', output: 'rain' }
    const first = { status: 'completed', output: [sealed, bare, call] }
    for (const [store, back] of [
      [false, [sealed, call]],
      [true, [sealed, bare, call]],
    ] as const) {
      const { server, requests } = await startWireServer([[first], [{ status: 'completed', output: [] }]])
      await using _ = server
      const options = { api: 'responses', tools: TOOLS, runTool: () => 'rain', params: { store } } as const
      await (await chainOn(database, server, options)).predict({ input: 'Oslo?' })
      expect(messagesIn(requests[1]!).slice(1), `store: ${store}`).toEqual([...back, output])
    }
  })

  describe('on servers with ways of their own', () => {
    const CALLS = [OSLO, ROME] as const

    /** Streams these deltas, each in a chunk of its own, and stores what comes of them. */
    async function assistantOf(
      deltas: readonly object[],
      finishReason: unknown = 'tool_calls',
    ): Promise<Message> {
      const chunks = [
        ...deltas.map((delta) => ({ choices: [{ index: 0, delta, finish_reason: null }] })),
        { choices: [{ index: 0, delta: {}, finish_reason: finishReason }] },
      ]
      const answer = [
        { choices: [{ index: 0, delta: { content: 'Rain.' }, finish_reason: null }] },
        { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
      ]
      const { server } = await startWireServer([chunks, answer])
      await using _ = server
      const chain = await chainOn(database, server, { tools: TOOLS, runTool: () => 'rain' })
      expect((await collect(chain.stream({ input: 'Oslo?' }))).join('')).toMatch(/Rain\.$/)
      return (await storedMessages(chain))[0]![1]!
    }

    const begin = ({ id }: ToolCall) => ({
      id,
      type: 'function',
      function: { name: 'weather', arguments: '' },
    })
    const add = (args: string) => ({ function: { arguments: args } })
    const called: AssistantMessage = { role: 'assistant', content: null, tool_calls: [...CALLS] }

    it('tells calls apart by their index, whatever comes between', async () => {
      const deltas = [
        { role: 'assistant', content: null },
        { tool_calls: [{ index: 0, ...begin(OSLO) }] },
        { tool_calls: [{ index: 1, ...begin(ROME) }] },
        {
          tool_calls: [
            { index: 0, ...add('{"city":') },
            { index: 1, ...add('{"city": ') },
          ],
        },
        { tool_calls: [{ index: 1, ...add('"Rome"}') }] },
        { tool_calls: [{ index: 0, ...add('"Oslo"}') }] },
      ]
      expect(await assistantOf(deltas)).toEqual(called)
    })

    it('tells calls apart where no piece says an index and only the first says who speaks or which call it is', async () => {
      const deltas = [
        { tool_calls: [begin(OSLO)] },
        { tool_calls: [add('{"city":')] },
        { tool_calls: [add('"Oslo"}')] },
        { tool_calls: [begin(ROME)] },
        { tool_calls: [add('{"city": "Rome"}')] },
      ]
      expect(await assistantOf(deltas, 'stop')).toEqual(called)
    })

    it('tells calls apart where no piece says an index and each says its call', async () => {
      const deltas = [
        { tool_calls: [begin(OSLO), begin(ROME)] },
        { tool_calls: [{ id: ROME.id, ...add('{"city": ') }] },
        { tool_calls: [{ id: OSLO.id, ...add('{"city":"Oslo"}') }] },
        { tool_calls: [{ id: ROME.id, ...add('"Rome"}') }] },
      ]
      expect(await assistantOf(deltas)).toEqual(called)
    })

    it('tells calls apart that come whole under the same index', async () => {
      const deltas = [{ tool_calls: [{ index: 0, ...OSLO }] }, { tool_calls: [{ index: 0, ...ROME }] }]
      expect(await assistantOf(deltas)).toEqual(called)
    })

    it('puts together the pieces of one index, though each has an id of its own', async () => {
      const deltas = [
        { tool_calls: [{ index: 0, ...begin(OSLO) }] },
        { tool_calls: [{ index: 0, id: 'call_1b', ...add('{"city":') }] },
        { tool_calls: [{ index: 0, id: 'call_1c', ...add('"Oslo"}') }] },
      ]
      expect(await assistantOf(deltas)).toEqual({ ...called, tool_calls: [OSLO] })
    })

    it('takes an index, an id and a name of null for none', async () => {
      const rest = (args: string) => ({ index: null, id: null, function: { name: null, arguments: args } })
      const deltas = [
        { tool_calls: [{ index: null, ...begin(OSLO) }] },
        { tool_calls: [rest('{"city":')] },
        { tool_calls: [rest('"Oslo"}')] },
        { tool_calls: [{ index: null, ...begin(ROME) }] },
        { tool_calls: [rest('{"city": "Rome"}')] },
      ]
      expect(await assistantOf(deltas)).toEqual(called)
    })

    it('does not take an empty finish reason for one', async () => {
      const piece = (content: string) => ({ choices: [{ delta: { content }, finish_reason: '' }] })
      const { server } = await startWireServer([
        [piece('Hel'), piece('lo.'), { choices: [{ delta: {}, finish_reason: 'stop' }] }],
        [piece('Hel')],
      ])
      await using _ = server
      const reasons: unknown[] = []
      const chain = await chainOn(database, server, {
        verbose: (event) => event.type === 'reply' && reasons.push(event.finishReason),
      })
      expect(await say(chain, 'hi', { streaming: true })).toBe('Hello.')
      await expect(say(chain, 'hi', { streaming: true })).rejects.toMatchObject({ code: 'INCOMPLETE_REPLY' })
      expect(reasons).toEqual(['stop'])
      expect(await storedMessages(chain)).toHaveLength(1)
    })

    it('finds the calls of a streamed response whose end has no output', async () => {
      const item = { id: 'fc_1', type: 'function_call', call_id: 'call_1', name: 'weather', arguments: '{}' }
      const { server, requests } = await startWireServer([
        [
          { type: 'response.output_item.added', item: { ...item, arguments: '' } },
          { type: 'response.output_item.done', item },
          { type: 'response.completed', response: { status: 'completed', output: [] } },
        ],
        responseEvents('Rain.', { status: 'completed', output: [] }),
      ])
      await using _ = server
      const chain = await chainOn(database, server, { api: 'responses', tools: TOOLS, runTool: () => 'rain' })
      expect(await say(chain, 'Oslo?', { streaming: true })).toBe('Rain.')
      expect(messagesIn(requests[1]!).slice(1)).toEqual([
        item,
        { type: 'function_call_output', call_id: 'call_1', output: 'rain' },
      ])
    })

    it('takes calls that come whole, and a finish reason of stop beside them', async () => {
      const deltas = [{ role: 'assistant', content: '' }, { tool_calls: [OSLO, ROME] }]
      expect(await assistantOf(deltas, 'stop')).toEqual(called)
      const whole = { choices: [{ message: { content: null, tool_calls: CALLS }, finish_reason: 'stop' }] }
      const { server } = await startWireServer([[whole], [{ choices: [{ message: { content: 'Rain.' } }] }]])
      await using _ = server
      const chain = await chainOn(database, server, { tools: TOOLS, runTool: () => 'rain' })
      expect(await chain.predict({ input: 'Oslo?' })).toBe('Rain.')
      expect((await storedMessages(chain))[0]![1]).toEqual(called)
    })

    it('gives a call its type where the server leaves it out, and keeps what else stands beside it', async () => {
      const extra = { extra_content: { signature: 'x' } }
      const { type: __, ...untyped } = { ...OSLO, ...extra }
      const kept = { ...called, tool_calls: [{ ...OSLO, ...extra }] }
      expect(await assistantOf([{ tool_calls: [{ index: 0, ...untyped }] }])).toEqual(kept)
      const whole = { choices: [{ message: { content: null, tool_calls: [untyped] } }] }
      const { server } = await startWireServer([[whole], [{ choices: [{ message: { content: 'Rain.' } }] }]])
      await using _ = server
      const types: string[] = []
      const runTool: RunTool = ({ type }) => types.push(type)
      const chain = await chainOn(database, server, { tools: TOOLS, runTool })
      expect(await chain.predict({ input: 'Oslo?' })).toBe('Rain.')
      expect(types).toEqual(['function'])
      expect((await storedMessages(chain))[0]![1]).toEqual(kept)
    })

    it.each([[null], [[]]])('takes %j for no calls', async (calls) => {
      const message = { role: 'assistant', content: 'Hello.', refusal: null, tool_calls: calls }
      const { server } = await startWireServer([
        [{ choices: [{ message, finish_reason: 'stop' }] }],
        [
          { choices: [{ delta: message, finish_reason: null }] },
          { choices: [{ delta: {}, finish_reason: 'stop' }] },
        ],
      ])
      await using _ = server
      const chain = await chainOn(database, server)
      for (const streaming of [false, true]) expect(await say(chain, 'hi', { streaming })).toBe('Hello.')
      const turn = [
        { role: 'user', content: 'hi' },
        { role: 'assistant', content: 'Hello.' },
      ]
      expect(await storedMessages(chain)).toEqual([turn, turn])
    })
  })
})

/** The events of a response: its text in one piece, and its end. */
function responseEvents(delta: string, response: object): object[] {
  return [
    { type: 'response.created', response: { status: 'in_progress', output: [] } },
    { type: 'response.output_text.delta', delta },
    { type: 'response.completed', response },
  ]
}

/** A server that answers with what it is told to, one list of events a request: the one of a list of one, where no stream is asked for. */
async function startWireServer(answers: readonly (readonly object[])[]) {
  const requests: { readonly body: unknown }[] = []
  const server = await startServer(async (request, response) => {
    const body = JSON.parse(await text(request)) as { stream?: boolean }
    const events = answers[requests.push({ body }) - 1] ?? []
    response.setHeader('content-type', body.stream ? 'text/event-stream' : 'application/json')
    if (!body.stream) return response.end(JSON.stringify(events[0]))
    for (const event of events) response.write(`data: ${JSON.stringify(event)}\n\n`)
    return response.end('data: [DONE]\n\n')
  })
  return { server, requests }
}
