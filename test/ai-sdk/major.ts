import type * as Sdk from 'ai'
import type { MockLanguageModelV4 } from 'ai/test'
import type { Conversation, ConversationStore } from '../../src/index.ts'

/** What a scripted model answers: some text, some calls of tools. */
export interface Said {
  readonly reasoning?: string
  readonly text?: string
  readonly calls?: readonly { readonly id: string; readonly name: string; readonly input: unknown }[]
}

type Mock = new (options: ConstructorParameters<typeof MockLanguageModelV4>[0]) => MockLanguageModelV4

/** One major version of the SDK, and what has another name in it than in the other. */
export interface Major {
  readonly version: 6 | 7
  readonly sdk: typeof Sdk
  readonly Mock: Mock
}

/** A model that answers by a script, in steps or as a stream, and keeps what it was sent. */
export function scripted({ Mock }: Major, script: (call: number, prompt: readonly PromptMessage[]) => Said) {
  const prompts: (readonly PromptMessage[])[] = []
  const next = (prompt: unknown) => {
    prompts.push(structuredClone(prompt) as readonly PromptMessage[])
    return script(prompts.length - 1, prompts.at(-1)!)
  }
  const model = new Mock({
    doGenerate: async ({ prompt }) => {
      const said = next(prompt)
      return { content: [...toContent(said)], finishReason: reasonOf(said), usage: USAGE, warnings: [] }
    },
    doStream: async ({ prompt }) => {
      const said = next(prompt)
      const chunks = [{ type: 'stream-start', warnings: [] }, ...toChunks(said)]
      const finish = { type: 'finish', finishReason: reasonOf(said), usage: USAGE }
      return { stream: ReadableStream.from([...chunks, finish]) } as never
    },
  })
  return { model, prompts }
}

/** A message as a model of the SDK is sent it. */
export interface PromptMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string | readonly Record<string, unknown>[]
}

/** What `generateText` or `streamText` produced, by the name that the major has for it. */
export async function responseMessagesOf({ version }: Major, result: object): Promise<Sdk.ModelMessage[]> {
  const { responseMessages, response } = result as Record<string, Promise<{ messages: unknown }>>
  return (version === 7 ? await responseMessages : (await response)?.messages) as Sdk.ModelMessage[]
}

/** What a UI stream's callback for its end is given. */
interface Ended {
  readonly messages: Sdk.UIMessage[]
  readonly responseMessage: Sdk.UIMessage
}

/** Reads a UI stream to its end and gives what its callback for the end was given. */
export async function endOfStream(
  { version, sdk }: Major,
  result: { readonly stream: ReadableStream },
  originalMessages: Sdk.UIMessage[],
): Promise<Ended> {
  let ended: Ended | undefined
  const atEnd = (event: Ended) => void (ended = event)
  const common = { originalMessages, generateMessageId: sdk.generateId }
  const stream =
    version === 7
      ? sdk.toUIMessageStream({ ...common, stream: result.stream, onEnd: atEnd } as never)
      : (result as unknown as { toUIMessageStream(options: object): ReadableStream }).toUIMessageStream({
          ...common,
          onFinish: atEnd,
        })
  for await (const _ of stream as ReadableStream) void _
  return ended!
}

/** A conversation of its own for each test. */
export function newConversation(store: ConversationStore): Conversation {
  const conversationId = `chat ${++conversations}`
  return store.conversation({
    userId: 'ada',
    conversationId,
    framing: 'chat',
    encoding: TEST_ENCODING,
    countPart: () => 85,
  })
}

/** The encoding whose ranks are built the fastest: some of the tests build js-tiktoken's as well. */
export const TEST_ENCODING = 'gpt2'

let conversations = 0

const USAGE = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
}

function reasonOf({ calls = [] }: Said) {
  return { unified: calls.length > 0 ? 'tool-calls' : 'stop', raw: undefined } as const
}

function* toContent({ reasoning, text, calls = [] }: Said) {
  if (reasoning !== undefined) {
    yield { type: 'reasoning', text: reasoning, providerMetadata: { mock: { itemId: 'rs_1' } } } as const
  }
  if (text !== undefined) yield { type: 'text', text } as const
  for (const { id, name, input } of calls) {
    yield { type: 'tool-call', toolCallId: id, toolName: name, input: JSON.stringify(input) } as const
  }
}

function* toChunks(said: Said) {
  for (const part of toContent(said)) {
    if (part.type === 'tool-call') yield part
    else {
      const own = 'providerMetadata' in part ? { providerMetadata: part.providerMetadata } : {}
      yield { type: `${part.type}-start`, id: part.type, ...own }
      for (const delta of part.text.match(/.{1,7}/gs) ?? [])
        yield { type: `${part.type}-delta`, id: part.type, delta }
      yield { type: `${part.type}-end`, id: part.type, ...own }
    }
  }
}
