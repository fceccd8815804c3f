import { randomUUID } from 'node:crypto'
import OpenAI from 'openai'
import {
  ConversationChain,
  ConversationTokenBufferMemory,
  type ConversationChainOptions,
  type ConversationStore,
  type ConversationTokenBufferMemoryOptions,
  type Message,
} from '../../src/index.ts'
import type { TestDatabase } from './databases.ts'
import type { ModelServer, ReceivedRequest } from './model-server.ts'

/** What is different about a chain; `memory` says what is different about its memory. */
export type ChainOnOptions = Omit<Partial<ConversationChainOptions>, 'memory'> & {
  readonly memory?: Partial<ConversationTokenBufferMemoryOptions>
}

/** A chain on this server, with a conversation of its own in this database; `chain.memory` knows which. */
export async function chainOn(
  database: TestDatabase,
  server: Pick<ModelServer, 'url'>,
  { memory, ...options }: ChainOnOptions = {},
): Promise<ConversationChain> {
  const store = memory?.store ?? (await storeOf(database))
  return new ConversationChain({
    client: clientOf(server),
    model: 'gpt-5-mini',
    ...options,
    memory: new ConversationTokenBufferMemory({
      userId: 'ada',
      conversationId: randomUUID(),
      ...memory,
      store,
    }),
  })
}

/** The real client, which asks once. */
export function clientOf({ url }: Pick<ModelServer, 'url'>, { maxRetries = 0 } = {}): OpenAI {
  return new OpenAI({ apiKey: 'test', baseURL: url, maxRetries })
}

/** The messages of all turns of a chain's conversation, as they are stored. */
export async function storedMessages({ memory }: ConversationChain) {
  return (await memory.conversation.listTurns()).map((turn) => turn.messages)
}

/** Says something to a chain: in pieces, put together, or whole. */
export async function say(
  chain: ConversationChain,
  input: string,
  { streaming }: { readonly streaming: boolean },
): Promise<string> {
  return streaming ? (await collect(chain.stream({ input }))).join('') : chain.predict({ input })
}

/** The messages that a request has sent; to `responses`, its items. */
export function messagesIn({ body }: Pick<ReceivedRequest, 'body'>): Message[] {
  const { messages, input } = body as { messages?: Message[]; input?: Message[] }
  return messages ?? input ?? []
}

/** The tools that a request has sent, in the form that its endpoint takes. */
export function toolsIn({ body }: Pick<ReceivedRequest, 'body'>): object[] {
  return (body as { tools?: object[] }).tools ?? []
}

/** All pieces of a stream. */
export async function collect(stream: AsyncIterable<string>): Promise<string[]> {
  const pieces: string[] = []
  for await (const piece of stream) pieces.push(piece)
  return pieces
}

const stores = new WeakMap<TestDatabase, Promise<ConversationStore>>()

/** One store a database: a test that needs one to itself, to close it say, passes its own in `memory`. */
function storeOf(database: TestDatabase): Promise<ConversationStore> {
  const store = stores.get(database) ?? database.open()
  stores.set(database, store)
  return store
}
