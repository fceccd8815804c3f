import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import OpenAI, { AzureOpenAI } from 'openai'
import OpenAI5 from 'openai-5'
import OpenAI7 from 'openai-7'
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import {
  BackscrollError,
  ConversationChain,
  ConversationTokenBufferMemory,
  openStore,
  type ChainEvent,
  type ChainValues,
  type ConversationChainOptions,
  type Message,
  type ConversationStore,
  type IncompleteReplyError,
  type OpenAIClient,
  type PromptEvent,
  type RunTool,
  type SaveFailedError,
  type ToolCall,
} from '../src/index.ts'
import { startModelServer, type ModelServer } from './support/model-server.ts'
import { typeCheck } from './support/type-check.ts'

/** A caller without types: the wall is for JavaScript, and for values that came from outside. */
// oxlint-disable-next-line typescript/no-explicit-any
type Untyped = any

/** A person's words, where a value is expected that they cannot be. */
const CANARY = 'Quetzalcoatl owes 4711 dollars to Zarathustra'
const SECRET = /quetzal|zarathustra|4711/i
const A_TEXT = `a string of ${CANARY.length} characters`

const TOOL = { type: 'function', function: { name: 'look' } } as const
const runTool: RunTool = () => 'there'

let store: ConversationStore
let server: ModelServer

beforeAll(async () => {
  store = await openStore('sqlite::memory:')
  server = await startModelServer([])
})

afterAll(async () => {
  await store.close()
  await server.close()
})

function memoryOf({ returnMessages = false } = {}): ConversationTokenBufferMemory {
  const conversationId = randomUUID()
  return new ConversationTokenBufferMemory({ store, userId: 'ada', conversationId, returnMessages })
}

/** A chain as it should be, but for these options. */
function chainWith(options: Untyped): ConversationChain {
  const client = new OpenAI({ apiKey: 'test', baseURL: server.url, maxRetries: 0 })
  return new ConversationChain({ client, model: 'gpt-5-mini', memory: memoryOf(), ...options })
}

/** The error that a call throws or rejects with: one of ours, that says nothing of what a person said. */
async function refusal(call: () => unknown): Promise<BackscrollError> {
  const error = await Promise.resolve()
    .then(call)
    .then(
      () => expect.fail('It was not refused.'),
      (thrown: unknown) => thrown,
    )
  expect(error).toBeInstanceOf(BackscrollError)
  const { stack } = error as BackscrollError
  const shown = `${inspect(error, { depth: 9, showHidden: true })} ${JSON.stringify(error)} ${stack}`
  expect(shown).not.toMatch(SECRET)
  return error as BackscrollError
}

/** What is wrong for an option, and what the error calls it. */
type Wrong = readonly (readonly [value: unknown, called: string])[]

const NO_TEXT: Wrong = [
  ['', 'an empty string'],
  [42, '42'],
  [null, 'null'],
  [{ text: CANARY }, 'an object'],
  [[CANARY], 'an array of 1'],
  [() => CANARY, 'a function'],
]

const NO_COUNT: Wrong = [
  [0, '0'],
  [-1, '-1'],
  [1.5, '1.5'],
  [NaN, 'NaN'],
  [Infinity, 'Infinity'],
  ['4711', 'a string of 4 characters'],
  [[1], 'an array of 1'],
  [true, 'a boolean'],
  [1n, 'a bigint'],
]

const NO_FLAG: Wrong = [
  [1, '1'],
  [CANARY, A_TEXT],
  [{ on: CANARY }, 'an object'],
]

const NO_API: Wrong = [
  [CANARY, A_TEXT],
  ['Chat', 'a string of 4 characters'],
  ['toString', 'a string of 8 characters'],
  ['', 'an empty string'],
  [42, '42'],
  [{ api: CANARY }, 'an object'],
  [['chat'], 'an array of 1'],
]

const NO_FUNCTION: Wrong = [
  [85, '85'],
  [CANARY, A_TEXT],
  [null, 'null'],
]

const NO_ARRAY: Wrong = [
  [TOOL, 'an object'],
  [CANARY, A_TEXT],
  [runTool, 'a function'],
]

const NO_FIELDS: Wrong = [
  [CANARY, A_TEXT],
  [[CANARY], 'an array of 1'],
  [42, '42'],
]

const NO_PROMPT: Wrong = [
  [42, '42'],
  [{ text: CANARY }, 'an object'],
  [null, 'null'],
]

describe('a chain is refused when it is made', () => {
  it.each<readonly [option: string, says: string, wrong: Wrong]>([
    ['model', 'model must be a non-empty string', [...NO_TEXT, [undefined, 'undefined']]],
    ['system', 'system must be a non-empty string', NO_TEXT],
    ['api', 'api must be one of chat, responses, completions', NO_API],
    ['verbose', 'verbose must be true, false or a function', [...NO_FLAG, [null, 'null']]],
    ['keepPartial', 'keepPartial must be true or false', NO_FLAG],
    ['countPart', 'countPart must be a function (part) => tokens', NO_FUNCTION],
    ['tools', 'tools must be an array', NO_ARRAY],
    ['runTool', 'runTool must be a function (call) => what the tool answers', NO_FUNCTION],
    ['params', 'params must be an object of further fields', NO_FIELDS],
    ['prompt', 'prompt must be a string', NO_PROMPT],
  ])('for a wrong %s: %s', async (option, says, wrong) => {
    for (const [value, called] of wrong) {
      const error = await refusal(() => chainWith({ [option]: value }))
      expect([error.name, error.code]).toEqual(['InvalidArgumentError', 'INVALID_ARGUMENT'])
      expect(error.message).toBe(`${says}; got ${called}.`)
    }
  })

  it.each<readonly [option: string, range: string, wrong: Wrong]>([
    ['maxOutputTokens', '1 or more', NO_COUNT],
    ['maxToolRounds', 'from 1 to 1000', [...NO_COUNT, [1001, '1001']]],
    ['deadlineMs', 'from 1 to 3600000', [...NO_COUNT, [3_600_001, '3600001']]],
    ['contextWindow', '51 or more', [...NO_COUNT, [50, '50']]],
  ])('for a %s that is not a whole number, %s', async (option, range, wrong) => {
    for (const [value, called] of wrong) {
      const error = await refusal(() => chainWith({ maxOutputTokens: 50, [option]: value }))
      expect([error.name, error.code]).toEqual(['InvalidLimitError', 'INVALID_LIMIT'])
      expect(error.message).toBe(`${option} must be a whole number, ${range}; got ${called}.`)
    }
  })

  it.each<readonly [options: Untyped, says: string]>([
    [undefined, 'The chain needs a memory: `memory: new ConversationTokenBufferMemory({ … })`.'],
    [null, 'A chain takes an object of options; got null.'],
    [CANARY, `A chain takes an object of options; got ${A_TEXT}.`],
    [[CANARY], 'A chain takes an object of options; got an array of 1.'],
  ])('for options that are none', async (options, says) => {
    const error = await refusal(() => new ConversationChain(options))
    expect([error.code, error.message]).toEqual(['INVALID_ARGUMENT', says])
  })

  it.each<readonly [says: string, options: () => Untyped]>([
    ['The chain needs a memory', () => ({ memory: undefined })],
    ['The chain needs a memory', () => ({ memory: { history: CANARY } })],
    ['The chain needs a memory', () => ({ memory: CANARY })],
    ['The chain needs a client', () => ({ client: undefined })],
    ['The chain needs a client', () => ({ client: null })],
    ['The chain needs a client', () => ({ client: CANARY })],
    ['The chain needs a client', () => ({ client: { chat: { completions: { create: CANARY } } } })],
    ['The chain needs a client', () => ({ client: { completions: { create: runTool } } })],
    [
      'The chain needs a client',
      () => ({ api: 'responses', client: { chat: { completions: { create: runTool } } } }),
    ],
    [
      "api 'completions' takes a string: give it a memory without returnMessages.",
      () => ({ api: 'completions', memory: memoryOf({ returnMessages: true }) }),
    ],
    [
      'With returnMessages the history is sent as messages: give `system`, not `prompt`.',
      () => ({ prompt: `{history} {input} ${CANARY}`, memory: memoryOf({ returnMessages: true }) }),
    ],
    ['With contextWindow give maxOutputTokens', () => ({ contextWindow: 8000 })],
    ['With tools give runTool', () => ({ tools: [TOOL] })],
    ["api 'completions' knows no tools", () => ({ api: 'completions', tools: [TOOL], runTool })],
    ...[CANARY, null, { type: 'function' }, { type: 'custom', custom: {} }, { ...TOOL, type: CANARY }].map(
      (tool): readonly [string, () => Untyped] => [
        'Each tool must be { type',
        () => ({ tools: [TOOL, tool], runTool }),
      ],
    ),
    ...[
      ...['model', 'messages', 'input', 'prompt', 'tools', 'stream', 'n'],
      ...['instructions', 'previous_response_id', 'conversation'],
    ].map((field): readonly [string, () => Untyped] => [
      `params may not hold ${field}: the chain fills it.`,
      () => ({ params: { temperature: 0, [field]: CANARY } }),
    ]),
    ['prompt has no place for {history}', () => ({ prompt: `{input} ${CANARY}` })],
    ['prompt has no place for {input}', () => ({ prompt: `{history} ${CANARY}` })],
    ['prompt has no place for {input}', () => ({ prompt: '{history} {{input}}' })],
    ['it holds something else in braces', () => ({ prompt: `{history} {input} {${CANARY}}` })],
    ['it holds something else in braces', () => ({ prompt: `{history} {input} { ${CANARY}` })],
    ['it holds something else in braces', () => ({ prompt: '{history} {input} }' })],
    ['it holds something else in braces', () => ({ prompt: '{history} {input} {}' })],
  ])('with: %s', async (says, options) => {
    const error = await refusal(() => chainWith(options()))
    expect([error.name, error.code]).toEqual(['InvalidArgumentError', 'INVALID_ARGUMENT'])
    expect(error.message).toContain(says)
  })

  it('and not for an option that is undefined, nor for the least and the most', () => {
    const names = ['prompt', 'system', 'api', 'verbose', 'maxOutputTokens', 'contextWindow', 'countPart']
    const others = ['tools', 'runTool', 'maxToolRounds', 'keepPartial', 'deadlineMs', 'params']
    const chain = chainWith(Object.fromEntries([...names, ...others].map((name) => [name, undefined])))
    expect([chain.api, chain.model]).toEqual(['chat', 'gpt-5-mini'])
    expect(() =>
      chainWith({ maxOutputTokens: 1, contextWindow: 2, maxToolRounds: 1, deadlineMs: 1 }),
    ).not.toThrow()
    expect(() => chainWith({ maxToolRounds: 1000, deadlineMs: 3_600_000 })).not.toThrow()
  })
})

describe('a call is refused, and nothing is asked or stored,', () => {
  type Call = (chain: ConversationChain, values: Untyped, options?: Untyped) => unknown

  const CALLS: readonly (readonly [name: string, call: Call])[] = [
    ['predict', (chain, values, options) => chain.predict(values, options)],
    ['invoke', (chain, values, options) => chain.invoke(values, options)],
    // At once, before anything is read from it.
    ['stream', (chain, values, options) => void chain.stream(values, options)],
  ]

  it.each(CALLS)('by %s for values of which none can be the input', async (_name, call) => {
    const chain = chainWith({})
    for (const values of [undefined, null, CANARY, [CANARY], 42, () => CANARY]) {
      const error = await refusal(() => call(chain, values))
      expect(error.code).toBe('INVALID_ARGUMENT')
      expect(error.message).toMatch(/^inputs must be an object of values by key; got /)
    }
    const unresolved = [{}, { stop: CANARY }, { a: CANARY, b: CANARY }, { input: [CANARY] }, { input: null }]
    for (const values of unresolved) {
      expect((await refusal(() => call(chain, values))).code).toBe('UNRESOLVED_KEY')
    }
    expect(server.requests).toEqual([])
    expect(await chain.memory.conversation.listTurns()).toEqual([])
  })

  it.each(CALLS)('by %s for wrong options', async (name, call) => {
    const chain = chainWith({})
    for (const [options, says] of [
      [null, `${name} takes an object of options; got null.`],
      [CANARY, `${name} takes an object of options; got ${A_TEXT}.`],
      [[CANARY], `${name} takes an object of options; got an array of 1.`],
      [{ signal: {} }, 'signal must be an AbortSignal; got an object.'],
      [{ signal: CANARY }, `signal must be an AbortSignal; got ${A_TEXT}.`],
      [{ signal: null }, 'signal must be an AbortSignal; got null.'],
    ]) {
      const error = await refusal(() => call(chain, { input: CANARY }, options))
      expect([error.code, error.message]).toEqual(['INVALID_ARGUMENT', says])
    }
    for (const [idempotencyKey, says] of [
      ['', 'a non-empty string; got an empty string'],
      [42, 'a non-empty string; got 42'],
      [null, 'a non-empty string; got null'],
      [`${CANARY}\0`, 'well-formed Unicode without NUL; got a string of 46 characters'],
      [`${CANARY}\ud800`, 'well-formed Unicode without NUL; got a string of 46 characters'],
      ['é'.repeat(128), 'at most 255 UTF-8 bytes; got a string of 128 characters'],
    ]) {
      const error = await refusal(() => call(chain, { input: CANARY }, { idempotencyKey }))
      expect([error.code, error.message]).toEqual(['INVALID_ID', `idempotencyKey must be ${says}.`])
    }
    expect(server.requests).toEqual([])
    expect(await chain.memory.conversation.listTurns()).toEqual([])
  })
})

/** What TypeScript says of this file, which the rest of it would not say when it runs: types are gone then. */
it('holds: everything below compiles, and each line that should not does not', async () => {
  expect(await typeCheck(import.meta.url)).toMatchObject({ stdout: '', exitCode: 0 })
})

// The functions below are compiled and not called.

describe('a caller in TypeScript', () => {
  it('may pass the client of any major as it is, and anything that has the one method', () => {
    const accepted = (memory: ConversationTokenBufferMemory) => {
      const model = 'gpt-5-mini'
      const create = async (body: object) => ({ choices: [], body })
      return [
        new ConversationChain({ client: new OpenAI5(), model, memory }),
        new ConversationChain({ client: new OpenAI(), model, memory }),
        new ConversationChain({ client: new OpenAI7(), model, memory }),
        new ConversationChain({ client: new AzureOpenAI({ apiVersion: '2024-10-21' }), model, memory }),
        new ConversationChain({ client: { chat: { completions: { create } } }, model, memory }),
      ]
    }
    expectTypeOf(accepted).returns.toEqualTypeOf<ConversationChain[]>()
    expectTypeOf<OpenAI5 | OpenAI | OpenAI7>().toExtend<OpenAIClient>()
    // What is loaded can be sent by any of them, by hand.
    expectTypeOf<Message[]>().toExtend<OpenAI5.ChatCompletionMessageParam[]>()
    expectTypeOf<Message[]>().toExtend<OpenAI.ChatCompletionMessageParam[]>()
    expectTypeOf<Message[]>().toExtend<OpenAI7.ChatCompletionMessageParam[]>()
  })

  it('is told what each call gives', () => {
    expectTypeOf<ConversationChain['predict']>().returns.resolves.toEqualTypeOf<string>()
    expectTypeOf<ConversationChain['invoke']>().returns.resolves.toEqualTypeOf<ChainValues>()
    expectTypeOf<ChainValues['response']>().toEqualTypeOf<string>()
    expectTypeOf<ConversationChain['stream']>().returns.toEqualTypeOf<AsyncGenerator<string, void>>()
    expectTypeOf<Extract<ChainEvent, { type: 'prompt' }>>().toEqualTypeOf<PromptEvent>()
    expectTypeOf<Parameters<RunTool>[0]>().toEqualTypeOf<ToolCall>()
    expectTypeOf<SaveFailedError['code']>().toEqualTypeOf<'SAVE_FAILED'>()
    expectTypeOf<IncompleteReplyError['code']>().toEqualTypeOf<'INCOMPLETE_REPLY'>()
  })

  it('may pass an option as undefined, as one does that passes on what it was given', () => {
    const passOn = (signal: AbortSignal | undefined, chain: ConversationChain) => {
      expectTypeOf({ api: undefined, verbose: undefined }).toExtend<Partial<ConversationChainOptions>>()
      expectTypeOf({ tools: undefined, params: undefined }).toExtend<Partial<ConversationChainOptions>>()
      return chain.predict({ input: 'hi' }, { signal, idempotencyKey: undefined })
    }
    expectTypeOf(passOn).toBeFunction()
  })

  it('cannot leave out what is needed, nor name what there is not', () => {
    const wrong = async (client: OpenAI, memory: ConversationTokenBufferMemory, chain: ConversationChain) => {
      const needed = { client, model: 'gpt-5-mini', memory }
      // @ts-expect-error no client
      expect(new ConversationChain({ model: 'gpt-5-mini', memory }))
      // @ts-expect-error no model
      expect(new ConversationChain({ client, memory }))
      // @ts-expect-error no memory
      expect(new ConversationChain({ client, model: 'gpt-5-mini' }))
      // @ts-expect-error no client of OpenAI's kind
      expect(new ConversationChain({ ...needed, client: { chat: { create: () => {} } } }))
      // @ts-expect-error no such endpoint
      expect(new ConversationChain({ ...needed, api: 'assistants' }))
      // @ts-expect-error no such option
      expect(new ConversationChain({ ...needed, temperature: 0 }))
      // @ts-expect-error the prompt is a text
      expect(new ConversationChain({ ...needed, prompt: ['{history}', '{input}'] }))
      // @ts-expect-error a tool in the form of responses
      expect(new ConversationChain({ ...needed, tools: [{ type: 'function', name: 'look' }], runTool }))
      // @ts-expect-error no values
      await chain.predict()
      // @ts-expect-error values go by name
      await chain.predict('hi')
      // @ts-expect-error no such option of a call
      await chain.predict({ input: 'hi' }, { temperature: 0 })
      // @ts-expect-error a chain keeps what it was made with
      chain.model = 'gpt-5'
    }
    expectTypeOf(wrong).toBeFunction()
  })
})
