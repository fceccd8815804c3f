import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { inspect } from 'node:util'
import Sqlite from 'better-sqlite3'
import OpenAI, { APIError, AuthenticationError, InternalServerError, RateLimitError } from 'openai'
import { OpenAI as OpenAI5 } from 'openai-5'
import { OpenAI as OpenAI7 } from 'openai-7'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  BackscrollError,
  openStore,
  SaveFailedError,
  type Api,
  type ChainCallOptions,
  type ConversationChain,
  type Message,
  type ToolCall,
} from '../src/index.ts'
import type { Answer } from '../src/local-model/model.ts'
import { startServer } from '../src/local-model/server.ts'
import { chainOn, collect, storedMessages, type ChainOnOptions } from './support/chains.ts'
import { onEachDatabase, type TestDatabase } from './support/databases.ts'
import { gate, postgresHost, sqliteHost } from './support/hosts.ts'
import { expectConsistent, runSql, type StoredRow } from './support/inspect.ts'
import { startModelServer, type Fault, type ModelServer } from './support/model-server.ts'

const APIS = ['chat', 'responses', 'completions'] as const
const INPUT = 'What is xyzzy?'
const REPLY = 'One plover three four.'
const KEY = 'sk-plugh'

/** Asks for a reply whole, or in pieces. What came of it is in `pieces` even when it fails. */
const WAYS: Record<
  'predict' | 'stream',
  (chain: ConversationChain, options?: ChainCallOptions, pieces?: string[]) => Promise<unknown>
> = {
  predict: (chain, options) => chain.predict({ input: INPUT }, options),
  stream: async (chain, options, pieces = []) => {
    for await (const piece of chain.stream({ input: INPUT }, options)) pieces.push(piece)
  },
}
const EACH_WAY = APIS.flatMap((api) => (['predict', 'stream'] as const).map((way) => ({ api, way })))

/** The events of a stream of {@link REPLY}: before the first word, after two words, and before the one that tells why it ended. */
const EVENTS: Record<Api, { first: number; middle: number; end: number }> = {
  chat: { first: 0, middle: 3, end: 5 },
  responses: { first: 0, middle: 6, end: 11 },
  completions: { first: 0, middle: 2, end: 4 },
}

/** A chain with a client whose key can be told from other text, silent about what it cannot read. */
function faultyChain(
  database: TestDatabase,
  server: Pick<ModelServer, 'url'>,
  { maxRetries = 0, ...options }: ChainOnOptions & { maxRetries?: number } = {},
): Promise<ConversationChain> {
  const client = new OpenAI({ apiKey: KEY, baseURL: server.url, maxRetries, logLevel: 'off' })
  return chainOn(database, server, { client, ...options })
}

/** What a promise rejects with; undefined when it does not. */
function thrownBy(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

/** The rows of a chain's conversation, read past backscroll. */
function rowsOf(
  database: Pick<TestDatabase, 'name' | 'url'>,
  chain: ConversationChain,
): Promise<StoredRow[]> {
  const { userId, conversationId } = chain.memory.conversation
  return expectConsistent(database, { userId, conversationId })
}

/** No form in which an error of ours gets into a log holds what was said, or the key. */
function expectDiscreet(error: unknown): void {
  if (!(error instanceof BackscrollError)) return
  for (const form of [String(error), error.stack, inspect(error), JSON.stringify(error)]) {
    expect(form).not.toMatch(/xyzzy|plover|plugh/)
  }
}

/** Nothing was saved, and the very next call works. */
async function expectUnharmed(
  database: TestDatabase,
  chain: ConversationChain,
  where: string,
): Promise<void> {
  expect(await rowsOf(database, chain), where).toEqual([])
  expect(await chain.predict({ input: 'And now?' }), where).toBe(REPLY)
  expect(await rowsOf(database, chain), where).toMatchObject([{ content: 'And now?' }])
}

/** Faults, where in a stream they happen, and what they look like to the caller of each method. */
interface Case {
  readonly title: string
  readonly fault: (api: Api) => Fault
  readonly predict: unknown
  readonly stream: unknown
  /** Of a stream: what `keepPartial` gives as the reason, and the words that came; none by default. */
  readonly reason: 'failed' | 'unfinished'
  readonly text?: string
  readonly apis?: readonly Api[]
}

/** Long enough for a busy machine, so that only a server that hangs is too late. */
const DEADLINE_MS = 1000

function deadlineOf({ kind }: Fault): number | undefined {
  return kind === 'hang' ? DEADLINE_MS : undefined
}

// Of a connection that broke, the client says what Node says.
const BROKEN = expect.objectContaining({ message: 'terminated' }) as unknown
const SYNTAX = expect.any(SyntaxError) as unknown
const TIMEOUT = expect.objectContaining({ code: 'MODEL_TIMEOUT' }) as unknown
const INCOMPLETE = expect.objectContaining({ code: 'INCOMPLETE_REPLY' }) as unknown

/** A fault of a stream at its first event, in its middle, and when all of the text has come. */
function atEachPoint(
  kind: 'cut' | 'hang' | 'end' | 'error-event',
  rest: Pick<Case, 'predict' | 'stream' | 'reason'>,
): Case[] {
  const texts = { first: '', middle: 'One plover ', end: REPLY }
  return (['first', 'middle', 'end'] as const).map((point) => ({
    title: `${kind} at the ${point} event`,
    fault: (api) => ({ kind, after: EVENTS[api][point] }),
    text: texts[point],
    ...rest,
  }))
}

function always(error: unknown): Pick<Case, 'predict' | 'stream'> {
  return { predict: error, stream: error }
}

const CASES: readonly Case[] = [
  ...atEachPoint('cut', { ...always(BROKEN), reason: 'failed' }),
  ...atEachPoint('hang', { ...always(TIMEOUT), reason: 'failed' }),
  ...atEachPoint('end', { predict: SYNTAX, stream: INCOMPLETE, reason: 'unfinished' }),
  ...atEachPoint('error-event', { predict: INCOMPLETE, stream: expect.any(APIError), reason: 'failed' }),
  { title: 'no JSON', fault: () => ({ kind: 'not-json' }), ...always(SYNTAX), reason: 'failed' },
  {
    title: 'no choices',
    fault: () => ({ kind: 'no-choices' }),
    ...always(INCOMPLETE),
    reason: 'unfinished',
    apis: ['chat', 'completions'],
  },
  {
    title: 'status 500',
    fault: () => ({ kind: 'status', status: 500 }),
    ...always(expect.any(InternalServerError)),
    reason: 'failed',
  },
  {
    title: 'status 401',
    fault: () => ({ kind: 'status', status: 401 }),
    ...always(expect.any(AuthenticationError)),
    reason: 'failed',
  },
]

onEachDatabase('a model that fails', (database) => {
  it.each(CASES)('leaves nothing behind, and its error comes through: $title', async (each) => {
    await Promise.all(
      EACH_WAY.filter(({ api }) => each.apis?.includes(api) ?? true).map(async ({ api, way }) => {
        const where = `${api}, ${way}`
        await using server = await startModelServer(() => ({ content: REPLY }))
        const fault = each.fault(api)
        server.next(fault)
        const chain = await faultyChain(database, server, { api, deadlineMs: deadlineOf(fault) })
        const error = await thrownBy(WAYS[way](chain))
        expect(error, where).toEqual(each[way])
        expectDiscreet(error)
        await expectUnharmed(database, chain, where)
      }),
    )
  })

  it('by the end of a stream without a finish reason is not believed', async () => {
    await using server = await startModelServer(() => ({ content: REPLY }))
    for (const api of APIS) {
      const chain = await faultyChain(database, server, { api })
      server.next({ kind: 'no-finish-reason' })
      const pieces: string[] = []
      const error = await thrownBy(WAYS.stream(chain, undefined, pieces))
      expect(error, api).toEqual(INCOMPLETE)
      expect(pieces.join(''), api).toBe(REPLY)
      await expectUnharmed(database, chain, api)
    }
  })

  it('with too many requests comes through with its headers, or is asked again by the client', async () => {
    await using server = await startModelServer(() => ({ content: REPLY }))
    for (const { api, way } of EACH_WAY) {
      const where = `${api}, ${way}`
      const once = await faultyChain(database, server, { api })
      server.next({ kind: 'status', status: 429, headers: { 'retry-after': '7' } })
      const error = await thrownBy(WAYS[way](once))
      expect(error, where).toBeInstanceOf(RateLimitError)
      expect((error as RateLimitError).headers.get('retry-after'), where).toBe('7')
      await expectUnharmed(database, once, where)

      const twice = await faultyChain(database, server, { api, maxRetries: 1 })
      const before = server.requests.length
      server.next({ kind: 'status', status: 429, headers: { 'retry-after-ms': '1' } })
      await WAYS[way](twice)
      expect(server.requests.length - before, where).toBe(2)
      expect(await rowsOf(database, twice), where).toMatchObject([{ content: INPUT }])
    }
  })

  it.each([
    ['a page of a proxy', 'text/html', '<html>plover</html>', ['chat', 'completions']],
    ['a reply that its server failed to make', 'application/json', jsonOf('failed'), ['responses']],
    ['a reply that its server cancelled', 'application/json', jsonOf('cancelled'), ['responses']],
    ['a reply that is still being made', 'application/json', jsonOf('in_progress'), ['responses']],
    ['nothing', 'application/json', 'null', ['chat', 'completions']],
  ] as const)('under a status of 200 is seen through: %s', async (_, type, body, apis) => {
    await using server = await startRawServer(type, body)
    for (const api of apis) {
      const chain = await faultyChain(database, server, { api })
      const error = await thrownBy(WAYS.predict(chain))
      expect(error, api).toEqual(INCOMPLETE)
      expectDiscreet(error)
      expect(await rowsOf(database, chain), api).toEqual([])
    }
  })

  it.each([
    ['a page of a proxy', 'text/html', '<html>plover</html>', APIS],
    [
      'a response that failed',
      'text/event-stream',
      eventOf({ ...failedResponse(), type: 'response.failed' }),
      ['responses'],
    ],
    [
      'an error',
      'text/event-stream',
      eventOf({ type: 'error', code: 'server_error', message: 'plover' }),
      ['responses'],
    ],
    ['nothing', 'text/event-stream', '', APIS],
    ['comments that keep it alive', 'text/event-stream', ': OPENROUTER PROCESSING\n\n'.repeat(3), APIS],
  ] as const)('in a stream under a status of 200 is seen through: %s', async (_, type, body, apis) => {
    await using server = await startRawServer(type, body)
    for (const api of apis) {
      const chain = await faultyChain(database, server, { api })
      const error = await thrownBy(WAYS.stream(chain))
      expect(error, api).toEqual(INCOMPLETE)
      expectDiscreet(error)
      expect(await rowsOf(database, chain), api).toEqual([])
    }
  })

  it('in a way that the client itself stumbles over comes through as the client says it', async () => {
    await using server = await startRawServer('text/html', '<html>plover</html>')
    const chain = await faultyChain(database, server, { api: 'responses' })
    await expect(WAYS.predict(chain)).rejects.toBeInstanceOf(TypeError)
    expect(await rowsOf(database, chain)).toEqual([])
  })

  it('in the middle of a body that is not streamed is waited for no longer than the deadline', async () => {
    await using server = await startRawServer('application/json', '{"choices":[{"mess', { hold: true })
    for (const api of APIS) {
      const chain = await faultyChain(database, server, { api, deadlineMs: 50 })
      await expect(WAYS.predict(chain)).rejects.toEqual(TIMEOUT)
      expect(await rowsOf(database, chain)).toEqual([])
    }
  })

  it('by cutting off a call of a tool does not get it run', async () => {
    const call = { id: 'a', type: 'function', function: { name: 'pay', arguments: '{"to":"ada"}' } } as const
    await using server = await startModelServer(() => ({ toolCalls: [call], finishReason: 'length' }))
    for (const { api, way } of EACH_WAY.filter((each) => each.api !== 'completions')) {
      let runs = 0
      const tools = [{ type: 'function', function: { name: 'pay' } }] as const
      const chain = await faultyChain(database, server, { api, tools, runTool: () => `paid ${++runs}` })
      await expect(WAYS[way](chain)).rejects.toEqual(INCOMPLETE)
      expect(runs).toBe(0)
      expect(await rowsOf(database, chain)).toEqual([])
    }
  })
})

/** A server that gives every request the same; `hold` leaves the connection open then. */
function startRawServer(contentType: string, body: string, { hold = false } = {}) {
  return startServer((request, response) => {
    request.resume()
    response.writeHead(200, { 'content-type': contentType })
    response.write(body)
    if (!hold) response.end()
  })
}

function failedResponse() {
  return { response: { status: 'failed', error: { code: 'no plover', message: 'plover' }, output: [] } }
}

function jsonOf(status: string): string {
  return JSON.stringify({ ...failedResponse().response, status })
}

function eventOf(data: { readonly type: string; readonly [field: string]: unknown }): string {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
}

onEachDatabase('a caller', (database) => {
  const reason = new Error('no longer wanted')

  it('that aborted before the call costs no request', async () => {
    await using server = await startModelServer(() => ({ content: REPLY }))
    for (const { api, way } of EACH_WAY) {
      const chain = await faultyChain(database, server, { api })
      const before = server.requests.length
      expect(await thrownBy(WAYS[way](chain, { signal: AbortSignal.abort(reason) }))).toBe(reason)
      expect(server.requests).toHaveLength(before)
      await expectUnharmed(database, chain, `${api}, ${way}`)
    }
  })

  it('that aborts while the model thinks gets its own reason, and the server sees it leave', async () => {
    await using server = await startModelServer(() => ({ content: REPLY }))
    for (const { api, way } of EACH_WAY) {
      const chain = await faultyChain(database, server, { api })
      const controller = new AbortController()
      server.next({ kind: 'hang', after: 0 })
      const called = thrownBy(WAYS[way](chain, { signal: controller.signal }))
      const before = server.requests.length
      await server.received(before + 1)
      controller.abort(reason)
      expect(await called).toBe(reason)
      expect(await server.requests[before]!.aborted).toBe(true)
      await expectUnharmed(database, chain, `${api}, ${way}`)
    }
  })

  it('that aborts in the middle of a stream gets its own reason, though the client ends the stream in silence', async () => {
    await using server = await startModelServer(() => ({ content: REPLY }))
    for (const api of APIS) {
      // With the rest of the stream on its way as well as without.
      for (const fault of [undefined, { kind: 'hang', after: EVENTS[api].middle } as const]) {
        const chain = await faultyChain(database, server, { api })
        const controller = new AbortController()
        server.next(fault)
        const pieces: string[] = []
        const reading = async () => {
          for await (const piece of chain.stream({ input: INPUT }, { signal: controller.signal })) {
            pieces.push(piece)
            controller.abort(reason)
          }
        }
        expect(await thrownBy(reading())).toBe(reason)
        expect(pieces).toEqual(['One '])
        if (fault) expect(await server.requests.at(-1)!.aborted).toBe(true)
        await expectUnharmed(database, chain, api)
      }
    }
  })

  it('that stops reading stops the model', async () => {
    await using server = await startModelServer(() => ({ content: REPLY }))
    for (const api of APIS) {
      const chain = await faultyChain(database, server, { api })
      server.next({ kind: 'hang', after: EVENTS[api].middle })
      for await (const piece of chain.stream({ input: INPUT })) {
        expect(piece).toBe('One ')
        break
      }
      expect(await server.requests.at(-1)!.aborted).toBe(true)
      await expectUnharmed(database, chain, api)
    }
  })

  it.each([
    ['5', OpenAI5],
    ['7', OpenAI7],
  ] as const)('finds it the same through major %s of the client', async (major, Client) => {
    await using server = await startModelServer(() => ({ content: REPLY }))
    for (const api of APIS) {
      const client = new Client({ apiKey: KEY, baseURL: server.url, maxRetries: 0, logLevel: 'off' })
      const chain = await chainOn(database, server, { api, client })
      server.next({ kind: 'status', status: 429, headers: { 'retry-after': '7' } })
      expect(await thrownBy(WAYS.predict(chain))).toBeInstanceOf(Client.RateLimitError)

      const controller = new AbortController()
      const { middle } = EVENTS[api]
      server.next(
        { kind: 'hang', after: middle },
        { kind: 'hang', after: middle },
        { kind: 'end', after: middle },
      )
      const reading = async () => {
        for await (const _ of chain.stream({ input: INPUT }, { signal: controller.signal }))
          controller.abort(reason)
      }
      expect(await thrownBy(reading()), `${api} ${major}`).toBe(reason)
      expect(await server.requests.at(-1)!.aborted, `${api} ${major}`).toBe(true)
      for await (const _ of chain.stream({ input: INPUT })) break
      expect(await server.requests.at(-1)!.aborted, `${api} ${major}`).toBe(true)
      expect(await thrownBy(WAYS.stream(chain)), `${api} ${major}`).toEqual(INCOMPLETE)
      await expectUnharmed(database, chain, `${api} ${major}`)
    }
  })

  it('that runs out of time leaves no request behind', async () => {
    await Promise.all(
      EACH_WAY.map(async ({ api, way }) => {
        await using server = await startModelServer(() => ({ content: REPLY }))
        const chain = await faultyChain(database, server, { api, deadlineMs: DEADLINE_MS })
        server.next({ kind: 'hang', after: EVENTS[api].middle })
        expect(await thrownBy(WAYS[way](chain))).toEqual(TIMEOUT)
        expect(await server.requests[0]!.aborted).toBe(true)
      }),
    )
  })
})

onEachDatabase('with keepPartial', (database) => {
  /** The one turn of a chain that was cut short, and its metadata. */
  async function partialOf(chain: ConversationChain) {
    const rows = await rowsOf(database, chain)
    const turns = await chain.memory.conversation.listTurns()
    expect(rows).toHaveLength(turns.length)
    expect(turns.length).toBeLessThanOrEqual(1)
    return turns[0] && { messages: turns[0].messages, metadata: turns[0].metadata }
  }

  /** The model is asked once more, and is given what was kept in a form that models accept. */
  async function expectAccepted(chain: ConversationChain, server: ModelServer): Promise<void> {
    const kept = (await storedMessages(chain)).flat()
    expect(await chain.predict({ input: 'And now?' })).toBe(REPLY)
    const { messages } = server.requests.at(-1)!.body as { messages: Message[] }
    expect(messages).toEqual([...kept, { role: 'user', content: 'And now?' }])
    const calls = messages.flatMap((message) => ('tool_calls' in message && message.tool_calls) || [])
    const results = messages.flatMap((message) => ('tool_call_id' in message ? [message.tool_call_id] : []))
    expect(results).toEqual(calls.map(({ id }) => id))
  }

  it.each(CASES)('what came is saved once, and says why it ended: $title', async (each) => {
    await Promise.all(
      (each.apis ?? APIS).map(async (api) => {
        await using server = await startModelServer(() => ({ content: REPLY }))
        const fault = each.fault(api)
        server.next(fault)
        const chain = await faultyChain(database, server, {
          api,
          keepPartial: true,
          deadlineMs: deadlineOf(fault),
        })
        const pieces: string[] = []
        expect(await thrownBy(WAYS.stream(chain, undefined, pieces)), api).toEqual(each.stream)
        const came = pieces.join('')
        // What is on its way when a connection breaks may be lost.
        const { text = '' } = each
        if (fault.kind === 'cut') expect(text.startsWith(came), api).toBe(true)
        else expect(came, api).toBe(text)
        const kept = came !== '' && {
          messages: [
            { role: 'user', content: INPUT },
            { role: 'assistant', content: came },
          ],
          metadata: { partial: true, reason: each.reason },
        }
        expect((await partialOf(chain)) ?? false, api).toEqual(kept)
      }),
    )
  })

  it('a stream that was aborted or stopped is saved as far as it was read', async () => {
    await using server = await startModelServer(() => ({ content: REPLY }))
    for (const stop of ['aborted', 'stopped'] as const) {
      const chain = await faultyChain(database, server, {
        keepPartial: true,
        memory: { returnMessages: true },
      })
      const controller = new AbortController()
      server.next({ kind: 'hang', after: EVENTS.chat.middle })
      const reading = async () => {
        for await (const _ of chain.stream({ input: INPUT }, { signal: controller.signal })) {
          if (stop === 'stopped') break
          controller.abort('enough')
        }
      }
      expect(await thrownBy(reading())).toBe(stop === 'stopped' ? undefined : 'enough')
      expect(await partialOf(chain)).toEqual({
        messages: [
          { role: 'user', content: INPUT },
          { role: 'assistant', content: 'One ' },
        ],
        metadata: { partial: true, reason: stop },
      })
      await expectAccepted(chain, server)
    }
  })

  it('is no answer to a call under its key, which asks anew once it is dropped', async () => {
    await using server = await startModelServer(() => ({ content: REPLY }))
    const chain = await faultyChain(database, server, { keepPartial: true })
    const options = { idempotencyKey: 'once' }
    server.next({ kind: 'cut', after: EVENTS.chat.middle })
    await expect(collect(chain.stream({ input: INPUT }, options))).rejects.toThrow()
    const refused = { code: 'PARTIAL_REPLY' }
    await expect(chain.predict({ input: INPUT }, options)).rejects.toMatchObject(refused)
    await expect(collect(chain.stream({ input: INPUT }, options))).rejects.toMatchObject(refused)
    expect(server.requests).toHaveLength(1)
    await chain.memory.conversation.rewind({ to: 0 })
    expect(await chain.predict({ input: INPUT }, options)).toBe(REPLY)
    expect(await chain.predict({ input: INPUT }, options)).toBe(REPLY)
    expect(server.requests).toHaveLength(2)
  })

  it('a reply that is asked for whole, and a stream of which nothing came, leave nothing', async () => {
    await using server = await startModelServer(() => ({ content: REPLY }))
    const chain = await faultyChain(database, server, { keepPartial: true })
    server.next({ kind: 'status', status: 500 }, { kind: 'cut', after: 0 })
    await expect(chain.predict({ input: INPUT })).rejects.toBeInstanceOf(InternalServerError)
    await expect(collect(chain.stream({ input: INPUT }))).rejects.toThrow()
    const signal = AbortSignal.abort('enough')
    expect(await thrownBy(collect(chain.stream({ input: INPUT }, { signal })))).toBe('enough')
    expect(await partialOf(chain)).toBeUndefined()
  })

  const callOf = (id: string): ToolCall => ({
    id,
    type: 'function',
    function: { name: 'now', arguments: '{}' },
  })
  const tools = [{ type: 'function', function: { name: 'now' } }] as const

  it('rounds of tools that were complete are kept, calls without results never', async () => {
    const round: Message[] = [
      { role: 'assistant', content: 'Let me see. ', tool_calls: [callOf('a'), callOf('b')] },
      { role: 'tool', tool_call_id: 'a', content: 'noon' },
      { role: 'tool', tool_call_id: 'b', content: 'noon' },
    ]
    const first: Answer = { content: 'Let me see. ', toolCalls: [callOf('a'), callOf('b')] }
    const second: Answer = { content: 'Once more. ', toolCalls: [callOf('c')] }
    for (const { fault, answer, last } of [
      // In the answer after the tools, before and after its first words.
      { fault: { kind: 'end', after: 0 }, answer: { content: REPLY }, last: [] },
      { fault: { kind: 'end', after: 3 }, answer: { content: REPLY }, last: ['One plover '] },
      // In a call, whole and without a result: its words alone.
      { fault: { kind: 'end', after: 5 }, answer: second, last: ['Once more. '] },
      { fault: { kind: 'end', after: 3 }, answer: { toolCalls: [callOf('c')] }, last: [] },
    ] as { fault: Fault; answer: Answer; last: string[] }[]) {
      const answers = [first, answer]
      await using server = await startModelServer(() => answers.shift() ?? { content: REPLY })
      server.next(undefined, fault)
      const chain = await faultyChain(database, server, {
        keepPartial: true,
        tools,
        runTool: () => 'noon',
        memory: { returnMessages: true },
      })
      await expect(collect(chain.stream({ input: INPUT }))).rejects.toEqual(INCOMPLETE)
      expect(await partialOf(chain)).toEqual({
        messages: [
          { role: 'user', content: INPUT },
          ...round,
          ...last.map((content) => ({ role: 'assistant', content })),
        ],
        metadata: { partial: true, reason: 'unfinished' },
      })
      await expectAccepted(chain, server)
    }
  })

  it('a tool that fails, or is still at work when the caller aborts, leaves the words before its call', async () => {
    const failure = new Error('no clock')
    const controller = new AbortController()
    for (const runTool of [
      () => Promise.reject(failure),
      () => (controller.abort(failure), new Promise(() => {})),
    ]) {
      const answers: Answer[] = [{ content: 'Let me see. ', toolCalls: [callOf('a')] }]
      await using server = await startModelServer(() => answers.shift() ?? { content: REPLY })
      const chain = await faultyChain(database, server, {
        keepPartial: true,
        tools,
        runTool,
        memory: { returnMessages: true },
      })
      const { signal } = controller
      expect(await thrownBy(collect(chain.stream({ input: INPUT }, { signal })))).toBe(failure)
      expect(await partialOf(chain)).toEqual({
        messages: [
          { role: 'user', content: INPUT },
          { role: 'assistant', content: 'Let me see. ' },
        ],
        metadata: { partial: true, reason: signal.aborted ? 'aborted' : 'failed' },
      })
      await expectAccepted(chain, server)
    }
  })

  it('what cannot be saved is in the error, with why it ended', async () => {
    await using server = await startModelServer(() => ({ content: REPLY }))
    const store = await openStore(database.url)
    const chain = await faultyChain(database, server, { keepPartial: true, memory: { store } })
    server.next({ kind: 'hang', after: EVENTS.chat.middle })
    const controller = new AbortController()
    const reading = async () => {
      for await (const _ of chain.stream({ input: INPUT }, { signal: controller.signal })) {
        await store.close()
        controller.abort()
      }
    }
    const error = await thrownBy(reading())
    expect(error).toMatchObject({ code: 'SAVE_FAILED', reply: 'One ', cause: { code: 'STORE_CLOSED' } })
    expectDiscreet(error)
    await saveLater(database, chain, error)
    const conversation = (await database.open()).conversation(chain.memory.conversation)
    expect(await conversation.listTurns()).toMatchObject([{ metadata: { partial: true, reason: 'aborted' } }])
  })
})

/** Stores what an error holds, twice, as a caller that is not sure would. It is there once, whatever was before. */
async function saveLater(
  database: Pick<TestDatabase, 'name' | 'url'>,
  chain: ConversationChain,
  error: unknown,
): Promise<{ replayed: boolean }> {
  if (!(error instanceof SaveFailedError)) throw error
  await using store = await openStore(database.url)
  const { userId, conversationId } = chain.memory.conversation
  const conversation = store.conversation({ userId, conversationId })
  const first = await conversation.append(error.messages, error)
  const second = await conversation.append(error.messages, { idempotencyKey: error.idempotencyKey })
  expect(second).toMatchObject({ replayed: true, position: first.position })
  const rows = await rowsOf(database, chain)
  expect(rows.filter(({ key }) => key === error.idempotencyKey)).toHaveLength(1)
  return first
}

onEachDatabase('a reply that could not be stored', (database) => {
  /** Does something to the store while the model answers, and undoes it. */
  const TROUBLES = {
    'the store was closed': {
      cause: 'STORE_CLOSED',
      begin: (chain: ConversationChain, close: () => Promise<void>) => close(),
      end: async () => {},
    },
    'the table has gone': {
      cause: 'NOT_MIGRATED',
      begin: () => runSql(database, 'alter table backscroll_turns rename to somewhere_else'),
      end: () => runSql(database, 'alter table somewhere_else rename to backscroll_turns'),
    },
  }

  it.each(Object.entries(TROUBLES))('is in the error, and is stored once later: %s', async (_, trouble) => {
    for (const { api, way } of EACH_WAY) {
      const store = await database.open()
      let chain: ConversationChain | undefined
      await using server = await startModelServer(async () => {
        await trouble.begin(chain!, () => store.close())
        return { content: REPLY }
      })
      chain = await faultyChain(database, server, { api, memory: { store } })
      const idempotencyKey = `${api} ${way}`
      const error = await thrownBy(WAYS[way](chain, { idempotencyKey }))
      await trouble.end()
      const messages = [
        { role: 'user', content: INPUT },
        { role: 'assistant', content: REPLY },
      ]
      expect(error).toMatchObject({ code: 'SAVE_FAILED', cause: { code: trouble.cause } })
      expect(error).toMatchObject({ reply: REPLY, messages, idempotencyKey, metadata: undefined })
      expectDiscreet(error)
      expect(inspect(error)).not.toContain(idempotencyKey)
      expect(await rowsOf(database, chain)).toEqual([])
      expect(await saveLater(database, chain, error)).toMatchObject({ replayed: false })
    }
  })

  it('has a key of its own where none was given', async () => {
    const store = await database.open()
    await using server = await startModelServer(async () => (await store.close(), { content: REPLY }))
    const chain = await faultyChain(database, server, { memory: { store } })
    await saveLater(database, chain, await thrownBy(chain.predict({ input: INPUT })))
    expect(await rowsOf(database, chain)).toMatchObject([{ content: INPUT }])
  })

  it('because it is too long for a turn is in the error whole', async () => {
    const store = await database.open({ maxTurnCharacters: 100 })
    const reply = REPLY.repeat(10)
    await using server = await startModelServer(() => ({ content: reply }))
    for (const way of ['predict', 'stream'] as const) {
      const chain = await faultyChain(database, server, { memory: { store } })
      const error = await thrownBy(WAYS[way](chain))
      expect(error).toMatchObject({ code: 'SAVE_FAILED', cause: { code: 'TURN_TOO_LARGE' }, reply })
      expectDiscreet(error)
      expect(await rowsOf(database, chain)).toEqual([])
      // A store that takes longer turns takes this one.
      expect(await saveLater(database, chain, error)).toMatchObject({ replayed: false })
    }
  })

  it('is asked for anew by a call under the same key, unless it was stored meanwhile', async () => {
    await using server = await startModelServer(async () => {
      await TROUBLES['the table has gone'].begin()
      return { content: REPLY }
    })
    const chain = await faultyChain(database, server)
    const call = () => chain.predict({ input: INPUT }, { idempotencyKey: 'k' })
    const error = await thrownBy(call())
    await TROUBLES['the table has gone'].end()
    const again = await thrownBy(call())
    await TROUBLES['the table has gone'].end()
    expect([error, again]).toMatchObject([{ code: 'SAVE_FAILED' }, { code: 'SAVE_FAILED' }])
    await saveLater(database, chain, error)
    expect(await call()).toBe(REPLY)
    expect(server.requests).toHaveLength(2)
    expect(await rowsOf(database, chain)).toMatchObject([{ key: 'k' }])
  })

  it('under a key that another stream was faster with is in the error; the other one stays', async () => {
    const answers: Answer[] = [{ content: 'This.' }, { content: 'That.' }]
    await using server = await startModelServer(async () => {
      const answer = answers.shift()!
      await server.received(2)
      return answer
    })
    const chain = await faultyChain(database, server)
    const stream = () => collect(chain.stream({ input: INPUT }, { idempotencyKey: 'k' }))
    const results = await Promise.allSettled([stream(), stream()])
    const [won] = results.filter((result) => result.status === 'fulfilled')
    const [lost] = results.filter((result) => result.status === 'rejected')
    const winner = won!.value.join('')
    expect(lost!.reason).toMatchObject({ code: 'SAVE_FAILED', cause: { code: 'IDEMPOTENCY_CONFLICT' } })
    expect([winner, (lost!.reason as SaveFailedError).reply].toSorted()).toEqual(['That.', 'This.'])
    expect(await storedMessages(chain)).toMatchObject([[{ content: INPUT }, { content: winner }]])
    expect(await rowsOf(database, chain)).toMatchObject([{ key: 'k' }])
  })

  it('under a key that was used for another input meanwhile is in the error', async () => {
    await using server = await startModelServer(async () => {
      await server.received(2)
      return { content: REPLY }
    })
    const chain = await faultyChain(database, server)
    const results = await Promise.allSettled(
      ['this', 'that'].map((input) => chain.predict({ input }, { idempotencyKey: 'k' })),
    )
    const [lost, ...others] = results.filter((result) => result.status === 'rejected')
    expect(others).toEqual([])
    expect(lost!.reason).toMatchObject({
      code: 'SAVE_FAILED',
      cause: { code: 'IDEMPOTENCY_CONFLICT' },
      reply: REPLY,
    })
    expect(await rowsOf(database, chain)).toMatchObject([{ key: 'k' }])
  })
})

onEachDatabase('before the model is asked', (database) => {
  it('a history that cannot be loaded ends the call with the error of the store', async () => {
    await using server = await startModelServer(() => ({ content: REPLY }))
    for (const { api, way } of EACH_WAY) {
      const chain = await faultyChain(database, server, { api })
      const before = server.requests.length
      await runSql(database, 'alter table backscroll_turns rename to somewhere_else')
      // With a key it is the look for an earlier turn that fails.
      const error = await thrownBy(WAYS[way](chain, way === 'stream' ? { idempotencyKey: 'k' } : {}))
      await runSql(database, 'alter table somewhere_else rename to backscroll_turns')
      expect(error).toMatchObject({ code: 'NOT_MIGRATED' })
      expectDiscreet(error)
      expect(server.requests).toHaveLength(before)
      await expectUnharmed(database, chain, `${api}, ${way}`)
    }
  })

  it('an input that is too long for a turn ends the call', async () => {
    const store = await database.open({ maxTurnCharacters: 10 })
    await using server = await startModelServer(() => ({ content: REPLY }))
    for (const way of ['predict', 'stream'] as const) {
      const chain = await faultyChain(database, server, { memory: { store } })
      const error = await thrownBy(WAYS[way](chain))
      expect(error).toMatchObject({ code: 'TURN_TOO_LARGE' })
      expectDiscreet(error)
      expect(server.requests).toEqual([])
      expect(await rowsOf(database, chain)).toEqual([])
    }
  })
})

describe('on sqlite', () => {
  it('a reply waits for a lock as long as the store does, and is in the error then', async () => {
    await using host = sqliteHost()
    await host.store.migrate()
    const writer = new Sqlite(host.url.slice('sqlite:'.length))
    onTestFinished(() => void writer.close())
    await using store = await openStore(host.url, { deadlineMs: 100 })
    await using server = await startModelServer(() => {
      writer.exec('begin immediate')
      return { content: REPLY }
    })
    const chain = await chainOn(NEVER_OPENED, server, { memory: { store } })
    for (const way of ['predict', 'stream'] as const) {
      const error = await thrownBy(WAYS[way](chain, { idempotencyKey: way }))
      expect(error).toMatchObject({
        code: 'SAVE_FAILED',
        cause: { code: 'DATABASE_UNAVAILABLE' },
        reply: REPLY,
      })
      expectDiscreet(error)
      writer.exec('commit')
      expect(await saveLater(host, chain, error)).toMatchObject({ replayed: false })
    }
  })
})

// Side by side: to close a store whose connection has died takes the driver some seconds.
describe.concurrent('on postgres', () => {
  it('a backend that is killed while the model answers costs nothing', async () => {
    await using host = await postgresHost()
    await host.store.migrate()
    await using store = await openStore(host.url)
    await using server = await startModelServer(async () => {
      await host.client`
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`
      return { content: REPLY }
    })
    const chain = await chainOn(NEVER_OPENED, server, { memory: { store } })
    for (const way of ['predict', 'stream'] as const) await WAYS[way](chain)
    expect(await rowsOf(host, chain)).toMatchObject([{ content: INPUT }, { content: INPUT }])
  })

  it('a reply that a server which has gone could not store is in the error', async () => {
    await using host = await postgresHost()
    await host.store.migrate()
    await Promise.all(
      (['predict', 'stream'] as const).map(async (way) => {
        const tunnel = await startTunnel(host.url)
        await using store = await openStore(tunnel.url, { deadlineMs: 2000, migrate: false })
        await using server = await startModelServer(async () => (await tunnel.close(), { content: REPLY }))
        const chain = await chainOn(NEVER_OPENED, server, { memory: { store } })
        const error = await thrownBy(WAYS[way](chain))
        expect(error).toMatchObject({
          code: 'SAVE_FAILED',
          cause: { code: expect.stringMatching(/^(DATABASE_UNAVAILABLE|OUTCOME_UNKNOWN)$/) as string },
          reply: REPLY,
        })
        expectDiscreet(error)
        expect(await saveLater(host, chain, error)).toMatchObject({ replayed: false })
      }),
    )
  })

  it('a reply whose saving is in doubt is there once, though the first try did store it after all', async () => {
    await using host = await postgresHost()
    await host.store.migrate()
    await using store = await openStore(host.url, { deadlineMs: 1000, migrate: false })
    const locked = gate()
    const release = gate()
    let holding: Promise<unknown> | undefined
    await using server = await startModelServer(async () => {
      holding = host.client.begin(async (client) => {
        await client`select * from backscroll_conversations for update`
        locked.open()
        await release.opened
      })
      await locked.opened
      return { content: REPLY }
    })
    const chain = await chainOn(NEVER_OPENED, server, { memory: { store } })
    await chain.memory.saveContext({ input: 'hi' }, { output: 'hello' })
    const error = await thrownBy(chain.predict({ input: INPUT }, { idempotencyKey: 'k' }))
    expect(error).toMatchObject({ code: 'SAVE_FAILED', cause: { code: 'OUTCOME_UNKNOWN' } })
    expectDiscreet(error)
    release.open()
    await holding
    // The statement that nobody waited for goes on by itself.
    await vi.waitFor(async () => expect(await rowsOf(host, chain)).toHaveLength(2), { timeout: 20_000 })
    expect(await saveLater(host, chain, error)).toMatchObject({ replayed: true })
    expect(await chain.predict({ input: INPUT }, { idempotencyKey: 'k' })).toBe(REPLY)
    expect(server.requests).toHaveLength(1)
    expect(await rowsOf(host, chain)).toHaveLength(2)
  })
})

/** For chains that bring their own store. */
const NEVER_OPENED = {
  open: () => Promise.reject(new Error('The chain has a store.')),
} as unknown as TestDatabase

/** A way to a database server that can be closed, as if the server had gone. */
async function startTunnel(url: string) {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => {}))
    client.pipe(upstream).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const tunnel = new URL(url)
  tunnel.port = String((server.address() as AddressInfo).port)
  return {
    url: tunnel.href,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

onEachDatabase('a reply that is complete', (database) => {
  it.each(
    APIS.flatMap((api) => (['cut', 'hang', 'end', 'error-event'] as const).map((kind) => ({ api, kind }))),
  )('is kept whatever comes after its finish reason: $kind, on $api', async ({ api, kind }) => {
    await using server = await startModelServer(() => ({ content: REPLY }))
    const chain = await faultyChain(database, server, { api, deadlineMs: DEADLINE_MS })
    server.next({ kind, after: EVENTS[api].end + 1 })
    expect((await collect(chain.stream({ input: INPUT }))).join('')).toBe(REPLY)
    expect(await rowsOf(database, chain)).toMatchObject([{ content: INPUT }])
  })

  it('tells in the metadata of its turn that it was cut off', async () => {
    await using server = await startModelServer(() => ({ content: REPLY, finishReason: 'length' }))
    for (const api of APIS) {
      const chain = await faultyChain(database, server, { api })
      for (const way of Object.values(WAYS)) await way(chain)
      const finishReason = api === 'responses' ? 'max_output_tokens' : 'length'
      const turn = { metadata: { finishReason } }
      expect(await chain.memory.conversation.listTurns()).toMatchObject([turn, turn])
    }
  })
})

onEachDatabase('a request', (database) => {
  it('ends when it is aborted, though nobody reads', async () => {
    await using server = await startModelServer(() => ({ content: REPLY }))
    const chain = await faultyChain(database, server)
    const controller = new AbortController()
    server.next({ kind: 'hang', after: EVENTS.chat.middle })
    const pieces = chain.stream({ input: INPUT }, { signal: controller.signal })
    await pieces.next()
    controller.abort('enough')
    expect(await server.requests[0]!.aborted).toBe(true)
    await expect(pieces.next()).rejects.toBe('enough')
  })

  it('closes the stream of a client that has something to do at its end', async () => {
    const closed = gate()
    const piece = { choices: [{ delta: { content: 'One' } }] }
    const create = async () =>
      (async function* () {
        try {
          for (;;) yield piece
        } finally {
          closed.open()
        }
      })()
    const client = { chat: { completions: { create } } }
    const chain = await chainOn(database, { url: 'http://127.0.0.1:1' }, { client })
    for await (const _ of chain.stream({ input: INPUT })) break
    await closed.opened
    expect(await rowsOf(database, chain)).toEqual([])
  })
})
