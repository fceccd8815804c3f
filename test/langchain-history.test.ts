import { inspect } from 'node:util'
import { ConversationChain } from '@langchain/classic/chains'
import {
  BufferMemory,
  BufferWindowMemory,
  CombinedMemory,
  ConversationSummaryBufferMemory,
  ConversationSummaryMemory,
  ConversationTokenBufferMemory,
  EntityMemory,
  type BaseChatMemory,
} from '@langchain/classic/memory'
import { InMemoryChatMessageHistory, type BaseListChatMessageHistory } from '@langchain/core/chat_history'
import type { BaseMemory } from '@langchain/core/memory'
import {
  AIMessage,
  AIMessageChunk,
  HumanMessage,
  ToolMessage,
  type BaseMessage,
} from '@langchain/core/messages'
import { ChatPromptTemplate, MessagesPlaceholder } from '@langchain/core/prompts'
import { RunnableWithMessageHistory, type Runnable } from '@langchain/core/runnables'
import { FakeStreamingChatModel } from '@langchain/core/utils/testing'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import type { ConversationStore } from '../src/index.ts'
import { BackscrollChatMessageHistory, type BackscrollChatMessageHistoryOptions } from '../src/langchain.ts'
import { anyMessage } from './langchain/arbitraries.ts'
import { CountingModel } from './langchain/counting-model.ts'
import { shown, told } from './langchain/shown.ts'
import { onEachDatabase } from './support/databases.ts'

/** Fixed, so that a failure comes again. */
const SEED = 20261123
const RUNS = 25

/** What a run of a chain is asked and answers, one after the other. */
const QUESTIONS = ['What does cosine mean?', "What's its inverse?", 'And the derivative?']
const ANSWERS = ['A ratio in a triangle.', 'The arc cosine.', 'The negative sine.']

type MakeHistory = (sessionId: string) => BaseListChatMessageHistory

onEachDatabase('BackscrollChatMessageHistory', (database) => {
  let store: ConversationStore
  let otherStore: ConversationStore
  beforeAll(async () => void ([store, otherStore] = await Promise.all([database.open(), database.open()])))

  /** A history of a conversation of its own, unless the options name one. */
  let made = 0
  function historyOf(options: Partial<BackscrollChatMessageHistoryOptions> = {}) {
    return new BackscrollChatMessageHistory({
      store,
      userId: 'ada',
      conversationId: `history ${++made}`,
      countPart: () => 85,
      ...options,
    })
  }

  /** Theirs, and ours: each run gets a new object, as in a server that keeps none. */
  function bothKinds(
    options: Partial<BackscrollChatMessageHistoryOptions> = {},
  ): Record<'theirs' | 'ours', MakeHistory> {
    const userId = `user ${++made}`
    const kept = new Map<string, InMemoryChatMessageHistory>()
    return {
      theirs: (sessionId) => {
        const history = kept.get(sessionId) ?? new InMemoryChatMessageHistory()
        kept.set(sessionId, history)
        return history
      },
      ours: (conversationId) => historyOf({ userId, conversationId, ...options }),
    }
  }

  describe('in RunnableWithMessageHistory', () => {
    const session = (sessionId: string) => ({ configurable: { sessionId } })

    /** The example of its documentation: a prompt with a place for the history. */
    function documented(getMessageHistory: MakeHistory, model = new CountingModel({ responses: ANSWERS })) {
      const prompt = ChatPromptTemplate.fromMessages([
        ['system', "You're an assistant who's good at {ability}"],
        new MessagesPlaceholder('history'),
        ['human', '{question}'],
      ])
      const chain = new RunnableWithMessageHistory({
        runnable: prompt.pipe(model as Runnable),
        getMessageHistory,
        inputMessagesKey: 'question',
        historyMessagesKey: 'history',
      })
      return { chain, model }
    }

    it('gives the documented example the prompts and the history that LangChain gives it', async () => {
      const kinds = bothKinds()
      const [theirs, ours] = await Promise.all(
        [kinds.theirs, kinds.ours].map(async (makeHistory) => {
          const { chain, model } = documented(makeHistory)
          const answers = []
          for (const question of QUESTIONS) {
            answers.push((await chain.invoke({ ability: 'math', question }, session('a'))).content)
          }
          const another = await chain.invoke({ ability: 'poems', question: 'Hello?' }, session('b'))
          const histories = await Promise.all(['a', 'b', 'c'].map((id) => makeHistory(id).getMessages()))
          return { prompts: model.prompts, answers, another: another.content, histories: histories.map(told) }
        }),
      )
      expect(ours).toEqual(theirs)
      expect(ours!.answers).toEqual(ANSWERS)
      expect(ours!.prompts[2]).toEqual([
        ['system', "You're an assistant who's good at math"],
        ['human', QUESTIONS[0]],
        ['ai', ANSWERS[0]],
        ['human', QUESTIONS[1]],
        ['ai', ANSWERS[1]],
        ['human', QUESTIONS[2]],
      ])
    })

    it('without a key of its own, saves each message once', async () => {
      const kinds = bothKinds()
      const [theirs, ours] = await Promise.all(
        [kinds.theirs, kinds.ours].map(async (getMessageHistory) => {
          const model = new CountingModel({ responses: ANSWERS })
          const chain = new RunnableWithMessageHistory<BaseMessage[], BaseMessage>({
            runnable: model,
            getMessageHistory,
          })
          for (const question of QUESTIONS) await chain.invoke([new HumanMessage(question)], session('a'))
          return { prompts: model.prompts, history: told(await getMessageHistory('a').getMessages()) }
        }),
      )
      expect(ours).toEqual(theirs)
      expect(ours!.history).toHaveLength(6)
    })

    it('without a key of its own, saves each message once under a limit too', async () => {
      const { ours } = bothKinds({ maxTokens: 30 })
      const model = new CountingModel({ responses: ANSWERS })
      const chain = new RunnableWithMessageHistory<BaseMessage[], BaseMessage>({
        runnable: model,
        getMessageHistory: ours,
      })
      for (const question of QUESTIONS) await chain.invoke([new HumanMessage(question)], session('a'))

      const all = await (ours('a') as BackscrollChatMessageHistory).conversation.listTurns()
      expect(all.map(({ messages }) => messages.map(({ content }) => content))).toEqual(
        QUESTIONS.map((question, index) => [question, ANSWERS[index]]),
      )
      // Of the two turns before the last question, the older one does not fit.
      expect(all.map(({ tokenCount }) => tokenCount)).toEqual([19, 16, 16])
      expect(model.prompts[2]).toEqual([
        ['human', QUESTIONS[1]],
        ['ai', ANSWERS[1]],
        ['human', QUESTIONS[2]],
      ])
    })

    it('keeps a stream, its calls of tools included, as one turn that loads as messages', async () => {
      const { ours } = bothKinds()
      const chunks = [
        new AIMessageChunk({ content: 'Let me ' }),
        new AIMessageChunk({
          content: 'look.',
          tool_calls: [{ name: 'weather', args: { city: 'Oslo' }, id: 'call_1', type: 'tool_call' }],
        }),
      ]
      const chain = new RunnableWithMessageHistory({
        runnable: new FakeStreamingChatModel({ chunks }) as Runnable,
        getMessageHistory: ours,
      })
      let text = ''
      for await (const chunk of await chain.stream([new HumanMessage('Cold?')], session('a')))
        text += chunk.content
      await ours('a').addMessages([
        new ToolMessage({ content: '-12', tool_call_id: 'call_1' }),
        new AIMessage('Yes.'),
      ])

      expect(text).toBe('Let me look.')
      const messages = await ours('a').getMessages()
      expect(messages.map((message) => message.constructor.name)).toEqual([
        'HumanMessage',
        'AIMessage',
        'ToolMessage',
        'AIMessage',
      ])
      expect(messages[1]).toMatchObject({
        content: 'Let me look.',
        tool_calls: [{ name: 'weather', args: { city: 'Oslo' }, id: 'call_1' }],
      })
      expect(await (ours('a') as BackscrollChatMessageHistory).conversation.listTurns()).toHaveLength(1)
    })

    it('takes the messages that a chain was called with in any form that LangChain takes', async () => {
      const { ours } = bothKinds()
      const model = new CountingModel({ responses: ANSWERS })
      const chain = new RunnableWithMessageHistory({
        runnable: ChatPromptTemplate.fromMessages([
          new MessagesPlaceholder('history'),
          new MessagesPlaceholder('question'),
        ]).pipe(model as Runnable),
        getMessageHistory: ours,
        inputMessagesKey: 'question',
        historyMessagesKey: 'history',
      })
      await chain.invoke({ question: [{ role: 'user', content: QUESTIONS[0] }] }, session('a'))
      await chain.invoke({ question: new HumanMessage(QUESTIONS[1]!) }, session('a'))
      expect(told(await ours('a').getMessages())).toEqual([
        ['human', QUESTIONS[0]],
        ['ai', ANSWERS[0]],
        ['human', QUESTIONS[1]],
        ['ai', ANSWERS[1]],
      ])
    })

    it('keeps the turns of runs at the same time apart', async () => {
      const { ours } = bothKinds()
      const runs = Array.from({ length: 8 }, async (_, index) => {
        const { chain } = documented(ours, new CountingModel({ responses: [`answer ${index}`] }))
        await chain.invoke({ ability: 'math', question: `question ${index}` }, session('a'))
      })
      await Promise.all(runs)
      const turns = await (ours('a') as BackscrollChatMessageHistory).conversation.listTurns()
      expect(turns.map(({ messages }) => messages.map(({ content }) => content)).toSorted()).toEqual(
        Array.from({ length: 8 }, (_, index) => [`question ${index}`, `answer ${index}`]),
      )
    })

    it('saves nothing of a run that fails, nor half of one that cannot be saved, which LangChain only prints', async () => {
      const { ours } = bothKinds({ countPart: undefined })
      const failing = documented(ours, new CountingModel({ responses: [] }))
      await expect(
        failing.chain.invoke({ ability: 'math', question: 'Hello?' }, session('a')),
      ).rejects.toThrow()

      const printed = vi.spyOn(console, 'warn').mockImplementation(() => {})
      try {
        const chain = new RunnableWithMessageHistory<BaseMessage[], BaseMessage>({
          runnable: new CountingModel({ responses: ANSWERS }),
          getMessageHistory: ours,
        })
        const image = new HumanMessage({ content: [{ type: 'image', url: 'https://a.b/c' }] })
        expect((await chain.invoke([image], session('a'))).content).toBe(ANSWERS[0])
        expect(String(printed.mock.calls)).toContain('MissingTokenCountError')
      } finally {
        printed.mockRestore()
      }
      expect(await ours('a').getMessages()).toEqual([])
    })
  })

  describe('in the memories of @langchain/classic', () => {
    const llm = () =>
      new CountingModel({ responses: ['one', 'two', 'three', 'four', 'five', 'six', 'seven'] })
    const memories: [string, (chatHistory: BaseListChatMessageHistory) => BaseChatMemory | CombinedMemory][] =
      [
        ['BufferMemory', (chatHistory) => new BufferMemory({ chatHistory })],
        [
          'BufferMemory with messages',
          (chatHistory) => new BufferMemory({ chatHistory, returnMessages: true }),
        ],
        ['BufferWindowMemory', (chatHistory) => new BufferWindowMemory({ chatHistory, k: 1 })],
        [
          'ConversationSummaryMemory',
          (chatHistory) => new ConversationSummaryMemory({ chatHistory, llm: llm() }),
        ],
        [
          'ConversationSummaryBufferMemory',
          (chatHistory) => new ConversationSummaryBufferMemory({ chatHistory, llm: llm() }),
        ],
        [
          'ConversationTokenBufferMemory',
          (chatHistory) => new ConversationTokenBufferMemory({ chatHistory, llm: llm() }),
        ],
        ['EntityMemory', (chatHistory) => new EntityMemory({ chatHistory, llm: llm() })],
        [
          'CombinedMemory',
          (chatHistory) =>
            new CombinedMemory({ memories: [new BufferMemory({ chatHistory, inputKey: 'input' })] }),
        ],
      ]

    it.each(memories)("gives what LangChain's own history gives: %s", async (_, makeMemory) => {
      const [theirs, ours] = await Promise.all(
        [new InMemoryChatMessageHistory(), historyOf()].map(async (chatHistory) => {
          const memory = makeMemory(chatHistory)
          const loaded = [await load(memory)]
          for (const [index, question] of QUESTIONS.entries()) {
            await memory.saveContext({ input: question }, { output: ANSWERS[index] })
            loaded.push(await load(memory))
          }
          const history = shown(await chatHistory.getMessages())
          await chatHistory.clear()
          return { loaded, history, cleared: await load(memory) }
        }),
      )
      expect(ours).toEqual(theirs)
      expect(ours!.history).toHaveLength(6)
    })

    it('is not emptied by those that prune by taking from the array: its limit does that', async () => {
      const limit = { maxTokenLimit: 20, returnMessages: true }
      const pruned: [string, (chatHistory: BaseListChatMessageHistory) => BaseMemory][] = [
        ['token', (chatHistory) => new ConversationTokenBufferMemory({ chatHistory, llm: llm(), ...limit })],
        [
          'summary',
          (chatHistory) => new ConversationSummaryBufferMemory({ chatHistory, llm: llm(), ...limit }),
        ],
      ]
      for (const [name, makeMemory] of pruned) {
        const inMemory = new InMemoryChatMessageHistory()
        const all = historyOf()
        const limited = historyOf({ conversationId: all.conversation.conversationId, maxTokens: 20 })
        for (const [index, question] of QUESTIONS.entries()) {
          await makeMemory(inMemory).saveContext({ input: question }, { output: ANSWERS[index] })
          await makeMemory(all).saveContext({ input: question }, { output: ANSWERS[index] })
        }
        expect(told(await inMemory.getMessages()), name).toEqual([
          ['human', QUESTIONS[2]],
          ['ai', ANSWERS[2]],
        ])
        expect(await all.getMessages(), name).toHaveLength(6)
        expect(told(await limited.getMessages()), name).toEqual([
          ['human', QUESTIONS[2]],
          ['ai', ANSWERS[2]],
        ])
      }
    })

    it('gives a chain the prompts that it has with their history', async () => {
      const [theirs, ours] = await Promise.all(
        [new InMemoryChatMessageHistory(), historyOf()].map(async (chatHistory) => {
          const model = new CountingModel({ responses: ANSWERS })
          const chain = new ConversationChain({ llm: model, memory: new BufferMemory({ chatHistory }) })
          const answers = []
          for (const input of QUESTIONS) answers.push(await chain.invoke({ input }))
          return { answers, prompts: model.prompts }
        }),
      )
      expect(ours).toEqual(theirs)
      expect(ours!.answers).toEqual(ANSWERS.map((response) => ({ response })))
    })

    /** What a memory gives, its messages so that they can be compared. */
    async function load(memory: BaseMemory): Promise<unknown[]> {
      const values = Object.entries(await memory.loadMemoryVariables({ input: 'x' }))
      return values.map(([key, value]) => [key, Array.isArray(value) ? shown(value as BaseMessage[]) : value])
    }
  })

  it("holds what LangChain's own history holds after any calls", async () => {
    const messages = fc.array(anyMessage, { maxLength: 3 })
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: messages.map(
          (given) => (history: BaseListChatMessageHistory) => history.addMessages(given),
        ),
      },
      {
        weight: 4,
        arbitrary: anyMessage.map(
          (given) => (history: BaseListChatMessageHistory) => history.addMessage(given),
        ),
      },
      {
        weight: 2,
        arbitrary: fc
          .string()
          .map((text) => (history: BaseListChatMessageHistory) => history.addUserMessage(text)),
      },
      {
        weight: 2,
        arbitrary: fc
          .string()
          .map((text) => (history: BaseListChatMessageHistory) => history.addAIMessage(text)),
      },
      { weight: 1, arbitrary: fc.constant((history: BaseListChatMessageHistory) => history.clear()) },
    )
    const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 15 }), async (steps) => {
      const [theirs, ours] = [new InMemoryChatMessageHistory(), historyOf()]
      for (const take of steps) {
        await take(theirs)
        await take(ours)
        expect(shown(await ours.getMessages())).toEqual(shown(await theirs.getMessages()))
      }
    })
    await fc.assert(property, { seed: SEED, numRuns: RUNS })
  })

  it('gives the newest whole turns that fit, and never a result without its call', async () => {
    const all = historyOf()
    await all.addMessages([
      new HumanMessage('Is it cold in Oslo?'),
      callOf('call_1'),
      resultOf('call_1'),
      new AIMessage('Yes.'),
    ])
    await all.addMessages([
      new HumanMessage('And in Rome?'),
      callOf('call_2'),
      resultOf('call_2'),
      new AIMessage('No.'),
    ])
    const { conversationId } = all.conversation
    const [first, second] = (await all.conversation.listTurns()).map(({ tokenCount }) => tokenCount)
    const at = async (maxTokens: number) =>
      (await historyOf({ conversationId, maxTokens }).getMessages()).length
    expect(await at(first! + second!)).toBe(8)
    expect(await at(first! + second! - 1)).toBe(4)
    expect(await at(second!)).toBe(4)
    expect(await at(second! - 1)).toBe(0)
    expect(await at(0)).toBe(0)
  })

  it('moves the beginning of what it gives in steps with a retentionRatio', async () => {
    const all = historyOf()
    for (let turn = 1; turn <= 8; turn++)
      await all.addMessages([new HumanMessage(`question ${turn}`), new AIMessage('Noted.')])
    const { conversationId } = all.conversation
    const tokens = (await all.conversation.listTurns()).map(({ tokenCount }) => tokenCount)
    expect(new Set(tokens).size, 'turns of one size').toBe(1)
    const maxTokens = 4 * tokens[0]!
    expect(await historyOf({ conversationId, maxTokens }).getMessages()).toHaveLength(8)
    // A step is three turns: the first six are out, and two are left.
    expect(await historyOf({ conversationId, maxTokens, retentionRatio: 0.25 }).getMessages()).toHaveLength(4)
  })

  it('adds to the same conversation from two stores at once without a turn lost, parted or doubled', async () => {
    const conversationId = `history ${++made}`
    const writers = [store, otherStore].map((one) => historyOf({ store: one, conversationId }))
    await Promise.all(
      writers.map(async (writer, name) => {
        for (let turn = 1; turn <= 15; turn++) {
          await writer.addMessages([
            new HumanMessage(`${name}: question ${turn}`),
            new AIMessage(`${name}: answer ${turn}`),
          ])
        }
      }),
    )
    const messages = told(await historyOf({ conversationId }).getMessages())
    const turns = Array.from({ length: 30 }, (_, index) => messages.slice(index * 2, index * 2 + 2))
    for (const name of [0, 1]) {
      expect(turns.filter(([question]) => String((question as string[])[1]).startsWith(`${name}:`))).toEqual(
        Array.from({ length: 15 }, (_, index) => [
          ['human', `${name}: question ${index + 1}`],
          ['ai', `${name}: answer ${index + 1}`],
        ]),
      )
    }
    expect(messages).toHaveLength(60)
  })

  it('takes single messages from two stores at once without losing one or its order', async () => {
    const conversationId = `history ${++made}`
    const writers = [store, otherStore].map((one) => historyOf({ store: one, conversationId }))
    await Promise.all(
      writers.map(async (writer, name) => {
        for (let turn = 1; turn <= 8; turn++) {
          await writer.addUserMessage(`${name}: question ${turn}`)
          await writer.addAIMessage(`${name}: answer ${turn}`)
        }
      }),
    )
    const texts = (await historyOf({ conversationId }).getMessages()).map(({ content }) => content as string)
    for (const name of [0, 1]) {
      expect(texts.filter((text) => text.startsWith(`${name}:`))).toEqual(
        Array.from({ length: 8 }, (_, index) => [
          `${name}: question ${index + 1}`,
          `${name}: answer ${index + 1}`,
        ]).flat(),
      )
    }
    expect(texts).toHaveLength(32)
  })

  it('keeps users apart who name their conversations alike, and clears only its own', async () => {
    const [ada, bob] = ['ada', 'bob'].map((userId) => historyOf({ userId, conversationId: 'the same' }))
    await ada!.addUserMessage('mine')
    await bob!.addUserMessage('his')
    await ada!.clear()
    expect(await ada!.getMessages()).toEqual([])
    expect(told(await bob!.getMessages())).toEqual([['human', 'his']])
  })

  it('shows nothing of its store, printed or serialised', async () => {
    const history = historyOf({ conversationId: 'private' })
    await history.addUserMessage('hi')
    expect(JSON.parse(JSON.stringify(history))).toEqual({
      lc: 1,
      type: 'not_implemented',
      id: ['backscroll', 'langchain', 'BackscrollChatMessageHistory'],
    })
    expect(inspect(history, { depth: 20, showHidden: true })).not.toMatch(
      /private|ada|store|dialect|test\.db|postgres/i,
    )
  })

  it.each([
    ['no store', { store: undefined }, 'INVALID_ARGUMENT'],
    ['an empty user id', { userId: '' }, 'INVALID_ID'],
    ['a limit below zero', { maxTokens: -1 }, 'INVALID_LIMIT'],
    ['a limit that is not a number', { maxTokens: Number.NaN }, 'INVALID_LIMIT'],
    ['a ratio above one', { retentionRatio: 2 }, 'INVALID_LIMIT'],
    ['an encoding that there is not', { encoding: 'gpt5_base' }, 'UNKNOWN_ENCODING'],
    ['a price that is no function', { countPart: 85 }, 'INVALID_ARGUMENT'],
  ])('is refused with %s', (_, options, code) => {
    expect(() => historyOf(options as object)).toThrow(expect.objectContaining({ code }))
  })
})

function callOf(id: string): AIMessage {
  return new AIMessage({ content: '', tool_calls: [{ name: 'weather', args: {}, id, type: 'tool_call' }] })
}

function resultOf(id: string): ToolMessage {
  return new ToolMessage({ content: '-12', tool_call_id: id })
}
