import { inspect } from 'node:util'
import { ConversationChain, LLMChain } from '@langchain/classic/chains'
import {
  CombinedMemory,
  ConversationTokenBufferMemory as TheirMemory,
  type BaseChatMemory,
} from '@langchain/classic/memory'
import type { BaseMemory } from '@langchain/core/memory'
import { AIMessage, HumanMessage, ToolMessage, type BaseMessage } from '@langchain/core/messages'
import { ChatPromptTemplate, MessagesPlaceholder } from '@langchain/core/prompts'
import { beforeAll, describe, expect, it } from 'vitest'
import { ConversationTokenBufferMemory as CoreMemory, type ConversationStore } from '../src/index.ts'
import { ConversationTokenBufferMemory, type ConversationTokenBufferMemoryInput } from '../src/langchain.ts'
import { CountingModel } from './langchain/counting-model.ts'
import { shown } from './langchain/shown.ts'
import { onEachDatabase } from './support/databases.ts'
import { CHAIN } from './support/seed.ts'

/** What LangChain's class takes, and ours takes as well. */
type SharedOptions = Omit<ConversationTokenBufferMemoryInput, 'store' | 'userId' | 'conversationId' | 'llm'>

onEachDatabase("LangChain's ConversationTokenBufferMemory, kept in a database", (database) => {
  let store: ConversationStore
  beforeAll(async () => void (store = await database.open()))

  /** A memory of its own conversation, unless the options name one. */
  let made = 0
  function memoryOf(
    options: Partial<ConversationTokenBufferMemoryInput> = {},
  ): ConversationTokenBufferMemory {
    return new ConversationTokenBufferMemory({
      store,
      userId: 'ada',
      conversationId: `langchain ${++made}`,
      ...options,
    })
  }

  /** Theirs and ours, of the same options and with a model to count with. */
  function bothMemories(options: SharedOptions): [TheirMemory, ConversationTokenBufferMemory] {
    const llm = new CountingModel({ responses: ['never asked'] })
    return [new TheirMemory({ llm, ...options } as never), memoryOf({ llm, encoding: 'gpt2', ...options })]
  }

  it('gives what the notebook prints, as LangChain gives it', async () => {
    for (const returnMessages of [false, true]) {
      const [theirs, ours] = await Promise.all(
        bothMemories({ maxTokenLimit: 10, returnMessages }).map(async (memory) => {
          const loaded = [await load(memory)]
          await memory.saveContext({ input: 'hi' }, { output: 'whats up' })
          await memory.saveContext({ input: 'not much you' }, { output: 'not much' })
          loaded.push(await load(memory))
          await memory.clear()
          return { loaded, cleared: await load(memory), keys: memory.memoryKeys }
        }),
      )
      expect(ours).toEqual(theirs)
      expect(ours!.loaded[1]).toEqual(
        returnMessages
          ? shown([new HumanMessage('not much you'), new AIMessage('not much')])
          : 'Human: not much you\nAI: not much',
      )
    }
  })

  it("gives LangChain's ConversationChain the prompts of the notebook", async () => {
    const [theirs, ours] = await Promise.all(
      bothMemories({ maxTokenLimit: 60 }).map(async (memory) => {
        const llm = new CountingModel({ responses: CHAIN.map(([, reply]) => reply) })
        const chain = new ConversationChain({ llm, memory })
        const answers = []
        for (const [input] of CHAIN) answers.push(await chain.invoke({ input }))
        return { answers, prompts: llm.prompts }
      }),
    )
    expect(ours).toEqual(theirs)
    const [, third] = CHAIN.slice(1)
    const [[, prompt]] = ours!.prompts[3] as [[string, string]]
    expect(prompt).toContain(
      `\nCurrent conversation:\nHuman: ${third![0]}\nAI: ${third![1]}\nHuman: ${CHAIN[3][0]}\nAI:`,
    )
  })

  it('gives a chain with a place for messages what LangChain gives it, under names of its own', async () => {
    const options = {
      maxTokenLimit: 60,
      returnMessages: true,
      memoryKey: 'past',
      inputKey: 'question',
      outputKey: 'text',
    }
    const [theirs, ours] = await Promise.all(
      bothMemories(options).map(async (memory) => {
        const llm = new CountingModel({ responses: CHAIN.map(([, reply]) => reply) })
        const prompt = ChatPromptTemplate.fromMessages([
          ['system', 'You speak {language}.'],
          new MessagesPlaceholder('past'),
          ['human', '{question}'],
        ])
        const chain = new LLMChain({ llm, prompt, memory })
        for (const [question] of CHAIN) await chain.invoke({ language: 'English', question })
        return llm.prompts
      }),
    )
    expect(ours).toEqual(theirs)
    expect(ours![3]).toHaveLength(4)
  })

  it('keeps the prefixes that it is given', async () => {
    const [theirs, ours] = await Promise.all(
      bothMemories({ humanPrefix: 'Frage', aiPrefix: 'Antwort' }).map(async (memory) => {
        await memory.saveContext({ input: 'hi' }, { output: 'whats up' })
        return load(memory)
      }),
    )
    expect(ours).toBe(theirs)
    expect(ours).toBe('Frage: hi\nAntwort: whats up')
  })

  describe('differs on purpose', () => {
    it("drops a question with its answer, where LangChain's keeps the answer alone", async () => {
      const [theirs, ours] = bothMemories({ maxTokenLimit: 22 })
      for (const memory of [theirs, ours]) {
        await memory.saveContext({ input: 'And what is the capital of Norway?' }, { output: 'Oslo.' })
        await memory.saveContext({ input: 'Is it cold there?' }, { output: 'It often is.' })
      }
      expect(await load(theirs)).toBe('AI: Oslo.\nHuman: Is it cold there?\nAI: It often is.')
      expect(await load(ours)).toBe('Human: Is it cold there?\nAI: It often is.')
    })

    it("saves nothing of a turn whose answer cannot be told, where LangChain's keeps the question", async () => {
      const [theirs, ours] = bothMemories({})
      const save = (memory: TheirMemory | ConversationTokenBufferMemory) =>
        memory.saveContext({ input: 'hi' }, { text: 'one', thought: 'two' })
      await expect(save(theirs)).rejects.toThrow('output values have 2 keys')
      await expect(save(ours)).rejects.toMatchObject({ code: 'UNRESOLVED_KEY' })
      expect(await load(theirs)).toBe('Human: hi')
      expect(await load(ours)).toBe('')
    })

    it('deletes nothing to keep its limit: a memory with a higher one gives what came before', async () => {
      const narrow = memoryOf({ maxTokenLimit: 10 })
      await narrow.saveContext({ input: 'hi' }, { output: 'whats up' })
      await narrow.saveContext({ input: 'not much you' }, { output: 'not much' })
      const wide = memoryOf({ conversationId: narrow.conversation.conversationId })
      expect(await load(wide)).toBe('Human: hi\nAI: whats up\nHuman: not much you\nAI: not much')
    })

    it('never asks the model that it is given', async () => {
      const asked: unknown[] = []
      const llm = new Proxy({}, { get: (_, name) => void asked.push(name) })
      const memory = memoryOf({ llm })
      await memory.saveContext({ input: 'hi' }, { output: 'whats up' })
      expect(await load(memory)).toBe('Human: hi\nAI: whats up')
      expect(asked).toEqual([])
    })
  })

  it('gives the same window as the memory of backscroll itself, on the same conversation', async () => {
    const options = {
      store,
      userId: 'ada',
      conversationId: 'shared',
      maxTokenLimit: 100,
      retentionRatio: 0.25,
    }
    const core = new CoreMemory(options)
    const adapter = memoryOf(options)
    const lengths = []
    for (const [index, [input, output]] of CHAIN.entries()) {
      await (index % 2 ? core : adapter).saveContext({ input }, { output })
      expect(await adapter.loadMemoryVariables({})).toEqual(await core.loadMemoryVariables({}))
      const messages = shown(await adapter.chatHistory.getMessages())
      expect(await load(memoryOf({ ...options, returnMessages: true }))).toEqual(messages)
      lengths.push([
        messages.length,
        (await core.conversation.loadWindow({ maxTokens: 100 })).messages.length,
      ])
    }
    // In steps and without, which differ from the third turn on, where the limit is passed.
    expect(lengths).toEqual([
      [2, 2],
      [4, 4],
      [2, 4],
      [2, 4],
    ])
  })

  it('shows what was added to its chatHistory, in whole turns, and counts it as the rest', async () => {
    const memory = memoryOf({ maxTokenLimit: 40, encoding: 'cl100k_base', humanPrefix: 'Q', aiPrefix: 'A' })
    await memory.saveContext({ input: 'hi' }, { output: 'whats up' })
    await memory.chatHistory.addMessages([
      new HumanMessage('Is it cold?'),
      new AIMessage({
        content: '',
        tool_calls: [{ name: 'weather', args: {}, id: 'call_1', type: 'tool_call' }],
      }),
      new ToolMessage({ content: '-12', tool_call_id: 'call_1' }),
    ])
    await memory.chatHistory.addAIMessage('Yes.')
    // Under another rule than the memory's own, each call of the one would count anew what the other counted.
    expect(await memory.conversation.countedAs()).toEqual({
      encoding: 'cl100k_base',
      framing: { kind: 'text', humanPrefix: 'Q', aiPrefix: 'A' },
    })
    expect(await memory.conversation.listTurns()).toHaveLength(2)
    expect(await load(memory)).toBe(
      'Q: Is it cold?\nA: [{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{}"}}]\n' +
        'Tool: -12\nA: Yes.',
    )
  })

  it('saves a turn once under a key, and gives a call up when it is told to', async () => {
    const memory = memoryOf()
    for (let attempt = 1; attempt <= 2; attempt++) {
      await memory.saveContext({ input: 'hi' }, { output: 'whats up' }, { idempotencyKey: 'turn 1' })
    }
    expect(await load(memory)).toBe('Human: hi\nAI: whats up')
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(memory.saveContext({ input: 'a' }, { output: 'b' }, { signal })).rejects.toThrow('enough')
    await expect(memory.loadMemoryVariables({}, { signal })).rejects.toThrow('enough')
    await expect(memory.clear({ signal })).rejects.toThrow('enough')
    expect(await load(memory)).toBe('Human: hi\nAI: whats up')
  })

  it('keeps the turns of two memories that save at the same time whole', async () => {
    const memories = [memoryOf({ conversationId: 'busy' }), memoryOf({ conversationId: 'busy' })]
    await Promise.all(
      memories.flatMap((memory, name) =>
        Array.from({ length: 10 }, (_, index) =>
          memory.saveContext({ input: `${name} asks ${index}` }, { output: `${name} hears ${index}` }),
        ),
      ),
    )
    const lines = String(await load(memories[0]!)).split('\n')
    const turns = Array.from({ length: 20 }, (_, index) => lines.slice(2 * index, 2 * index + 2).join('\n'))
    expect(turns.toSorted()).toEqual(
      [0, 1].flatMap((name) =>
        Array.from({ length: 10 }, (_, index) => `Human: ${name} asks ${index}\nAI: ${name} hears ${index}`),
      ),
    )
  })

  it('is taken where LangChain takes a memory, by its types too', async () => {
    const memory = memoryOf()
    const asMemory: BaseMemory = memory
    const asChatMemory: BaseChatMemory = memory
    const combined = new CombinedMemory({ memories: [memoryOf({ inputKey: 'input' })] })
    await combined.saveContext({ input: 'hi' }, { output: 'whats up' })
    await asChatMemory.chatHistory.addUserMessage('hi')
    expect(await asMemory.loadMemoryVariables({})).toEqual({ history: 'Human: hi' })
    expect(await combined.loadMemoryVariables({})).toEqual({ history: 'Human: hi\nAI: whats up' })
  })

  it('shows nothing of its store, printed, serialised or traced with its chain', async () => {
    const memory = memoryOf({ conversationId: 'private' })
    const traced: unknown[] = []
    const llm = new CountingModel({ responses: ['whats up'] })
    const chain = new ConversationChain({ llm, memory })
    await chain.invoke(
      { input: 'hi' },
      { callbacks: [{ handleChainStart: (serialized) => void traced.push(serialized) }] },
    )

    expect(traced).toHaveLength(1)
    for (const text of [JSON.stringify(memory), JSON.stringify(traced), inspect(memory, { depth: 20 })]) {
      expect(text).toContain('history')
      expect(text).not.toMatch(/private|ada"|dialect|test\.db|postgres:/)
    }
  })

  it.each([
    ['no store', { store: undefined }, 'INVALID_ARGUMENT'],
    ['a chatHistory, whose messages it would leave behind', { chatHistory: memoryOf }, 'INVALID_ARGUMENT'],
    ['an empty user id', { userId: '' }, 'INVALID_ID'],
    ['a limit below zero', { maxTokenLimit: -1 }, 'INVALID_LIMIT'],
    ['a prefix that would blur its counts', { aiPrefix: ' AI' }, 'INVALID_FRAMING'],
  ])('is refused with %s', (_, options, code) => {
    expect(() => memoryOf(options as object)).toThrow(expect.objectContaining({ code }))
  })

  /** The history that a memory gives, its messages so that they can be compared. */
  async function load(memory: BaseMemory): Promise<unknown> {
    const history: string | BaseMessage[] = (await memory.loadMemoryVariables({}))['history']
    return Array.isArray(history) ? shown(history) : history
  }
})
