import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  ConversationChain,
  ConversationTokenBufferMemory,
  openStore,
  type Message,
  type Tool,
  type ToolCall,
} from '../src/index.ts'
import type { Answer, Question } from '../src/local-model/model.ts'
import { chainOn, clientOf, collect, messagesIn, storedMessages } from './support/chains.ts'
import { onEachDatabase } from './support/databases.ts'
import { turnOf } from './support/inspect.ts'
import { startModelServer } from './support/model-server.ts'
import { chatTokens, oracleCount, textTokens } from './support/oracle.ts'
import {
  countPart,
  historiesOf,
  outlineOf,
  receivedTokens,
  requestOf,
  type Setting,
} from './support/request-oracle.ts'
import { hostileText, hostileTurn, randomFrom, type Random } from './support/texts.ts'

/** Each tool as the caller gives it, and as Responses take it. */
const TOOLS: readonly (readonly [Tool, object])[] = [
  [
    { type: 'custom', custom: { name: 'run', description: 'Runs a line of <|endoftext|>.' } },
    { type: 'custom', name: 'run', description: 'Runs a line of <|endoftext|>.' },
  ],
  [
    {
      type: 'function',
      function: {
        name: 'look_up',
        description: '調べる',
        parameters: { type: 'object', properties: { q: {} } },
      },
    },
    {
      type: 'function',
      name: 'look_up',
      description: '調べる',
      parameters: { type: 'object', properties: { q: {} } },
      strict: false,
    },
  ],
  [
    { type: 'function', function: { name: 'now' } },
    { type: 'function', name: 'now', parameters: null, strict: false },
  ],
]

/** Some tokens to many, with a text that has been seen to break a tokenizer here and there. */
function longText(random: Random): string {
  return Array.from({ length: random.below(12) }, () => hostileText(random)).join(' ')
}

/** A setting, and what else a chain needs to be of it. */
function randomSetting(random: Random): Setting & { maxOutputTokens: number; given: readonly Tool[] } {
  const api = random.pick(['chat', 'responses', 'completions'] as const)
  const returnMessages = api !== 'completions' && random.below(2) === 0
  const tools = api === 'completions' ? [] : TOOLS.slice(random.below(TOOLS.length + 1))
  return {
    api,
    returnMessages,
    system: random.pick([undefined, `Be brief.${longText(random)}`]),
    given: tools.map(([given]) => given),
    tools: tools.map(([given, flat]) => (api === 'responses' ? flat : given)),
    prefixes: random.pick([
      { humanPrefix: 'Human', aiPrefix: 'AI' },
      { humanPrefix: 'A person of whom nothing is known', aiPrefix: '中文 x' },
    ]),
    // LangChain's prompt has some 60 tokens by itself.
    maxRequestTokens: random.below(6) === 0 ? Infinity : (returnMessages ? 30 : 90) + random.below(500),
    maxTokenLimit: random.pick([0, random.below(400), 2000, 2000]),
    retentionRatio: random.pick([1, 1, 1, 0.75, 0.5, 0]),
    maxOutputTokens: 1 + random.below(100),
  }
}

/** A round of tools as it is stored: the model's calls, and what the tools gave back. */
function randomRound(random: Random, number: number): Message[] {
  const calls = Array.from({ length: 1 + random.below(2) }, (_, index): ToolCall => {
    const id = `call_${number}_${index}`
    return random.below(3) === 0
      ? { id, type: 'custom', custom: { name: 'run', input: hostileText(random) } }
      : {
          id,
          type: 'function',
          function: { name: 'look_up', arguments: JSON.stringify(hostileText(random)) },
        }
  })
  return [
    { role: 'assistant', content: hostileText(random) || null, tool_calls: calls },
    ...calls.map(({ id }): Message => {
      const content = random.pick([hostileText, hostileText, longText])(random)
      return { role: 'tool', tool_call_id: id, content }
    }),
  ]
}

/** What a person says, the rounds of tools that follow, and what the model says at the end. */
function randomCall(random: Random, withTools: boolean) {
  const roundCount = withTools ? random.below(4) : 0
  return {
    input: longText(random),
    rounds: Array.from({ length: roundCount }, (_, number) => randomRound(random, number)),
    answer: longText(random),
  }
}

/** A turn that was stored by somebody else. Responses know no recordings. */
function earlierTurn(random: Random, api: Setting['api']): Message[] {
  for (;;) {
    const turn = hostileTurn(random)
    if (api !== 'responses' || !JSON.stringify(turn).includes('input_audio')) return turn
  }
}

onEachDatabase('the requests of a chain', (database) => {
  const CONVERSATIONS = 100
  it(`never have more tokens than was promised, nor fewer turns than fit: ${CONVERSATIONS} random conversations`, async () => {
    const plan: Answer[] = []
    const questions: Question[] = []
    await using server = await startModelServer((question) => {
      questions.push(question)
      return plan.shift()!
    })
    const seen = { full: 0, shortened: 0, leftOut: 0, refused: 0, grewTooLong: 0 }
    for (let seed = 1; seed <= CONVERSATIONS; seed++) {
      const random = randomFrom(seed)
      const [model, encoding] = random.pick([
        ['gpt-5-mini', 'o200k_base'],
        ['gpt-4', 'cl100k_base'],
        ['a-model-of-ones-own', 'cl100k_base'],
      ] as const)
      const count = oracleCount(encoding)
      const setting = randomSetting(random)
      const { maxRequestTokens, maxOutputTokens, maxTokenLimit, retentionRatio, returnMessages } = setting
      const results = new Map<string, string>()
      const { prefixes, api, system, given } = setting
      const chain = await chainOn(database, server, {
        api,
        model,
        system,
        maxOutputTokens,
        countPart,
        memory: { encoding, maxTokenLimit, retentionRatio, returnMessages, ...prefixes },
        ...(maxRequestTokens < Infinity && { contextWindow: maxRequestTokens + maxOutputTokens }),
        ...(given.length > 0 && { tools: given, runTool: (call: ToolCall) => results.get(call.id)! }),
      })
      for (let turn = random.below(9); turn > 0; turn--) {
        await chain.memory.conversation.append(earlierTurn(random, api))
      }

      for (let call = 1; call <= 3; call++) {
        const where = `seed ${seed}, call ${call}`
        const { input, rounds, answer } = randomCall(random, given.length > 0)
        for (const message of rounds.flat()) {
          if (message.role === 'tool') results.set(message.tool_call_id, message.content as string)
        }
        plan.splice(0, Infinity, ...rounds.map(([said]) => answerOf(said!)), { content: answer })
        questions.length = 0
        const turns = await storedMessages(chain)
        const histories = historiesOf(setting, { turns, input, rounds }, count)

        const streamed = random.below(2) === 0
        const called = streamed ? collect(chain.stream({ input })) : chain.predict({ input })
        const error = await called.then(
          () => undefined,
          (thrown: unknown) => thrown,
        )

        // What the server received, by its own count.
        for (const question of questions) {
          expect(question.body['tools'] ?? [], where).toEqual(setting.tools)
          expect(receivedTokens(question, count), where).toBeLessThanOrEqual(maxRequestTokens)
        }
        // Each history is a run of the newest whole turns, and the longest that the rule allows.
        expect(
          questions.map(({ messages }) => outlineOf(messages)),
          where,
        ).toEqual(
          histories.map((kept, done) => {
            const history = turns.slice(turns.length - kept).flat()
            return outlineOf(requestOf(setting, history, input, rounds.slice(0, done).flat()))
          }),
        )
        for (const kept of histories) {
          const tokens = textTokens(count, prefixes)(turns.slice(turns.length - kept))
          expect(tokens, where).toBeLessThanOrEqual(maxTokenLimit)
        }
        // It is stored as one turn, or not at all.
        const fits = histories.length === rounds.length + 1
        const said: Message = { role: 'user', content: input }
        const last: Message = { role: 'assistant', content: answer }
        expect(await storedMessages(chain), where).toEqual(
          fits ? [...turns, [said, ...rounds.flat(), last]] : turns,
        )
        if (fits) expect(error, where).toBeUndefined()
        else expect(error, where).toMatchObject({ code: 'CONTEXT_WINDOW_EXCEEDED' })

        seen.full += Number(fits && histories[0] === turns.length)
        seen.shortened += Number(fits && histories[0]! < turns.length)
        seen.leftOut += Number(histories.at(-1)! < histories[0]!)
        seen.refused += Number(histories.length === 0)
        seen.grewTooLong += Number(!fits && histories.length > 0)
      }
    }
    // A promise that was never put to the test would hold as well.
    for (const times of Object.values(seen)) expect(times, JSON.stringify(seen)).toBeGreaterThan(5)
  })
})

onEachDatabase('a memory that counts in another encoding than the model', (database) => {
  it('does not make a request larger than was promised', async () => {
    await using server = await startModelServer(() => ({ content: 'ठीक है।' }))
    const contextWindow = 2000
    const maxOutputTokens = 500
    const chain = await chainOn(database, server, {
      model: 'gpt-4',
      contextWindow,
      maxOutputTokens,
      memory: { encoding: 'o200k_base', returnMessages: true, maxTokenLimit: 100_000 },
    })
    const ofModel = oracleCount('cl100k_base')
    for (let turn = 0; turn < 8; turn++) {
      await chain.predict({ input: 'मेरा नाम आदा है और मैं ओस्लो में रहती हूँ। '.repeat(10) })
    }
    const tokens = server.requests.map((request) => chatTokens(messagesIn(request), ofModel, countPart) + 3)
    expect(Math.max(...tokens)).toBeLessThanOrEqual(contextWindow - maxOutputTokens)
    // A turn more would not fit.
    expect(Math.max(...tokens)).toBeGreaterThan(contextWindow - maxOutputTokens - 400)
  })
})

/** A setting in which nothing but the messages takes room. */
const PLAIN: Setting = {
  api: 'chat',
  returnMessages: true,
  system: undefined,
  tools: [],
  maxRequestTokens: Infinity,
  maxTokenLimit: 2000,
  retentionRatio: 1,
}
const count = oracleCount('o200k_base')

/** Tokens of a request of these messages. */
function tokensOf(messages: readonly Message[]): number {
  return chatTokens(messages, count, countPart) + 3
}

onEachDatabase('a window that is', (database) => {
  it('exactly as long as the request is enough; with a token less the model is not asked', async () => {
    await using server = await startModelServer(() => ({ content: 'Yes.' }))
    const input = 'Does xyzzy fit?'
    for (const returnMessages of [true, false]) {
      const tokens = tokensOf(requestOf({ ...PLAIN, returnMessages }, [], input, []))
      const windowOf = (maxRequestTokens: number) =>
        chainOn(database, server, {
          contextWindow: maxRequestTokens + 7,
          maxOutputTokens: 7,
          memory: { returnMessages },
        })
      expect(await (await windowOf(tokens)).predict({ input })).toBe('Yes.')
      const asked = server.requests.length

      const tight = await windowOf(tokens - 1)
      const error: unknown = await tight.predict({ input }).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'CONTEXT_WINDOW_EXCEEDED' })
      expect(inspect(error)).not.toContain('xyzzy')
      await expect(collect(tight.stream({ input }))).rejects.toMatchObject({
        code: 'CONTEXT_WINDOW_EXCEEDED',
      })
      expect(server.requests).toHaveLength(asked)
      expect(await storedMessages(tight)).toEqual([])
    }
  })

  it('filled by what tools give back lets go of the oldest turns first, then of the call', async () => {
    const questions: Question[] = []
    await using server = await startModelServer((question) => {
      questions.push(question)
      return { toolCalls: [{ id: 'a', type: 'function', function: { name: 'now', arguments: '{}' } }] }
    })
    const chain = await chainOn(database, server, {
      contextWindow: 198,
      maxOutputTokens: 10,
      memory: { returnMessages: true },
      tools: [{ type: 'function', function: { name: 'now' } }],
      // Some 43 tokens a round, with the call; a turn has some 30.
      runTool: () => 'tick '.repeat(10),
    })
    const turns = ['one', 'two', 'three'].map((text) => turnOf(text, 'word '.repeat(20)))
    for (const turn of turns) await chain.memory.conversation.append(turn)
    await expect(chain.predict({ input: 'When?' })).rejects.toMatchObject({ code: 'CONTEXT_WINDOW_EXCEEDED' })
    const carried = questions.map(
      ({ messages }) =>
        messages.filter(({ content }) => ['one', 'two', 'three'].includes(content as string)).length,
    )
    expect(carried).toEqual([3, 3, 2, 1, 0])
    expect(await storedMessages(chain)).toEqual(turns)
  })
})

onEachDatabase('the history', (database) => {
  it('that invoke gives is the one that the model was given', async () => {
    const questions: Question[] = []
    await using server = await startModelServer((question) => {
      questions.push(question)
      return { content: 'Yes.' }
    })
    const turns = ['one', 'two', 'three'].map((text) => turnOf(text))
    const input = 'And now?'
    // As text the three fit. As messages they have more tokens.
    const room = textTokens(count)(turns)
    const chain = await chainOn(database, server, {
      contextWindow: tokensOf(requestOf(PLAIN, [], input, [])) + room + 10,
      maxOutputTokens: 10,
      memory: { returnMessages: true },
    })
    for (const turn of turns) await chain.memory.conversation.append(turn)
    const { history } = await chain.invoke({ input })
    expect(questions[0]!.messages).toEqual([...turns.slice(1).flat(), { role: 'user', content: input }])
    expect(history).toEqual(turns.slice(1).flat())
  })

  it('may stand in a prompt twice, and then costs twice', async () => {
    const questions: Question[] = []
    await using server = await startModelServer((question) => {
      questions.push(question)
      return { content: 'Yes.' }
    })
    for (const contextWindow of [60, 61, 62, 75, 90, 105, 120]) {
      const chain = await chainOn(database, server, {
        prompt: '/{history}/{history}/{input}',
        contextWindow,
        maxOutputTokens: 10,
      })
      for (const turn of ['+-', 'two', '+-+-', 'four'])
        await chain.memory.conversation.append(turnOf(turn, '+-'))
      await chain.predict({ input: '/' })
      expect(receivedTokens(questions.at(-1)!, count)).toBeLessThanOrEqual(contextWindow - 10)
    }
    expect(String(questions.at(-1)!.messages[0]!.content)).toContain('Human: four\nAI: +-/Human: ')
  })
})

describe('an image in the history', () => {
  it('needs countPart where there is a contextWindow, and only there', async () => {
    await using store = await openStore('sqlite::memory:')
    await using server = await startModelServer(() => ({ content: 'A cat.' }))
    const picture: Message[] = [
      { role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }] },
      { role: 'assistant', content: 'A picture.' },
    ]
    const memory = new ConversationTokenBufferMemory({
      store,
      userId: 'ada',
      conversationId: 'pictures',
      returnMessages: true,
    })
    await memory.conversation.append(picture)
    const options = { client: clientOf(server), model: 'gpt-5-mini', memory }
    const room = { contextWindow: 1000, maxOutputTokens: 10 }
    const input = 'What is it?'
    await expect(new ConversationChain({ ...options, ...room }).predict({ input })).rejects.toMatchObject({
      code: 'MISSING_TOKEN_COUNT',
    })
    expect(server.requests).toHaveLength(0)
    expect(await new ConversationChain({ ...options, ...room, countPart }).predict({ input })).toBe('A cat.')
    const print = vi.spyOn(console, 'log').mockImplementation(() => {})
    onTestFinished(() => print.mockRestore())
    expect(await new ConversationChain({ ...options, verbose: true }).predict({ input })).toBe('A cat.')
  })
})

function answerOf({ content, tool_calls: toolCalls }: Message & { tool_calls?: ToolCall[] }): Answer {
  return { ...(typeof content === 'string' && { content }), ...(toolCalls && { toolCalls }) }
}
