import { InvalidArgumentError } from '../errors.ts'
import { ConversationTokenBufferMemory } from '../memory/token-buffer-memory.ts'
import { kindOf } from '../redact.ts'
import { checkFlag, checkOptions, checkWhole } from '../store/arguments.ts'
import type { CountPart } from '../tokens/count.ts'
import { knownEncoding } from '../tokens/encodings.ts'
import type { OpenAIClient, ClientEndpoint } from './client.ts'
import { chat } from './endpoints/chat.ts'
import { completions } from './endpoints/completions.ts'
import type { Endpoint } from './endpoints/endpoint.ts'
import { responses } from './endpoints/responses.ts'
import { printAsLangChain, type ChainListener } from './events.ts'
import { conversationTemplate, parseTemplate, type Template } from './template.ts'
import type { RunTool, Tool } from './tools.ts'

/** Which of OpenAI's endpoints a chain speaks to. */
export type Api = 'chat' | 'responses' | 'completions'

/** What a chain is made of. */
export interface ConversationChainOptions {
  /** `new OpenAI()` of the package `openai`, majors 5 to 7, with any base URL, timeouts and retries of yours. */
  readonly client: OpenAIClient
  /** The model's name, as its server knows it. */
  readonly model: string
  /** Whose conversation it is, and how much of it the model is given. */
  readonly memory: ConversationTokenBufferMemory
  /**
   * The prompt, with `{history}` and `{input}` where the two go. Default: LangChain's conversation template. Only for a
   * memory that returns a string; with `returnMessages` the history is sent as messages, and `system` says the rest.
   */
  readonly prompt?: string | undefined
  /** A system message that stands before everything else. Not stored. Default: none. */
  readonly system?: string | undefined
  /**
   * `chat` (the default): chat completions, which every OpenAI-compatible server speaks. `responses`: OpenAI's Responses.
   * `completions`: the older completions, for a memory that returns a string; no tools.
   */
  readonly api?: Api | undefined
  /** True prints each prompt as LangChain does; a function is given the events instead. Default: false. */
  readonly verbose?: boolean | ChainListener | undefined
  /**
   * The most tokens that the model may answer with: 1 or more; sent with each request. Default: the server's. A reply that was cut off is stored, with the server's word for it as
   * `finishReason` in the turn's metadata.
   */
  readonly maxOutputTokens?: number | undefined
  /**
   * The most tokens that the model can hold, request and reply together. Each request then leaves room for
   * `maxOutputTokens`, which is needed with it: the history gets what system message, tools and input leave, and never
   * more than the memory's own limit. Counted in the model's encoding; in the memory's for a model that is not known.
   * Default: the memory's own limit alone.
   */
  readonly contextWindow?: number | undefined
  /**
   * What a content part that is not text costs: needed where the history has such and there is a `contextWindow`, or a
   * `verbose` function.
   */
  readonly countPart?: CountPart | undefined
  /** What the model may call, in OpenAI chat form. Default: nothing. */
  readonly tools?: readonly Tool[] | undefined
  /** Does what the model calls for; needed with `tools`. */
  readonly runTool?: RunTool | undefined
  /** How many times in a turn the model may call tools before it answers: 1 to 1,000, 20 by default. */
  readonly maxToolRounds?: number | undefined
  /**
   * True saves what came of a stream that did not come to its end, with `{ partial: true, reason }` as the turn's
   * metadata. Under a key of the caller's it is no answer: to ask again, rewind it, or use another key. Where it cannot
   * be saved, a SaveFailedError takes the place of what broke the stream off. Default: false, nothing is saved.
   */
  readonly keepPartial?: boolean | undefined
  /**
   * The longest that the model may be silent, in milliseconds: until its answer is there, or the next piece of a stream.
   * 1 to 3,600,000, 600,000 by default (the `openai` package's own, which does not hold once a stream has begun).
   */
  readonly deadlineMs?: number | undefined
  /** Further fields of every request, such as `temperature`, `stop` or `store`; sent as they are. */
  readonly params?: Readonly<Record<string, unknown>> | undefined
}

/** What a call may be given besides its values. */
export interface ChainCallOptions {
  /**
   * Names this turn, so that the call can be made again: the turn that was saved under it is returned, and the model is
   * not asked. 1 to 255 UTF-8 bytes, unique in the conversation. Default: a new one each time.
   */
  readonly idempotencyKey?: string | undefined
  /** Aborting ends the request to the model. Once the reply is complete it has no effect: the turn is saved. */
  readonly signal?: AbortSignal | undefined
}

/** A chain's options, checked and with their defaults. */
export type ChainSettings = ReturnType<typeof checkChainOptions>

const ENDPOINTS: Readonly<Record<Api, Endpoint>> = { chat, responses, completions }

/** Fields of a request that the chain itself fills. */
const RESERVED = [
  ...['model', 'messages', 'input', 'prompt', 'tools', 'stream', 'n'],
  // `system` is what they are for here, and the memory: given beside those they would be counted by nobody.
  ...['instructions', 'previous_response_id', 'conversation'],
]

/** @throws {InvalidArgumentError} for an option that is missing, out of range, or of no use with another. */
export function checkChainOptions(options: ConversationChainOptions) {
  const {
    client,
    model,
    memory,
    system,
    verbose = false,
    runTool,
    countPart,
  } = checkOptions('A chain', options)
  if (!(memory instanceof ConversationTokenBufferMemory)) {
    throw new InvalidArgumentError(
      'The chain needs a memory: `memory: new ConversationTokenBufferMemory({ … })`.',
    )
  }
  const { api, endpoint, create } = checkApi(options.api ?? 'chat', client, memory)
  if (typeof verbose !== 'boolean' && typeof verbose !== 'function') {
    throw new InvalidArgumentError(`verbose must be true, false or a function; got ${kindOf(verbose)}.`)
  }
  if (countPart !== undefined && typeof countPart !== 'function') {
    throw new InvalidArgumentError(`countPart must be a function (part) => tokens; got ${kindOf(countPart)}.`)
  }
  const name = checkText('model', model)
  return {
    api,
    endpoint,
    create,
    memory,
    model: name,
    /** What requests are counted in. The memory may count in another: then its counts say nothing of what the model holds. */
    encoding: knownEncoding(name) ?? memory.encoding,
    system: system === undefined ? undefined : checkText('system', system),
    template: checkTemplate(options, memory),
    listener: verbose === true ? printAsLangChain : verbose || undefined,
    /** What is printed holds no tokens; what a function is told does. */
    countsRequests: typeof verbose === 'function',
    ...checkRoom(options),
    countPart,
    tools: checkTools(options.tools ?? [], runTool, api),
    runTool,
    maxToolRounds: checkWhole('maxToolRounds', options.maxToolRounds ?? 20, 1, 1000),
    keepPartial: checkFlag('keepPartial', options.keepPartial ?? false),
    deadlineMs: checkWhole('deadlineMs', options.deadlineMs ?? 600_000, 1, 3_600_000),
    params: checkParams(options.params ?? {}),
  }
}

function checkApi(api: Api, client: OpenAIClient | undefined, memory: ConversationTokenBufferMemory) {
  if (typeof api !== 'string' || !Object.hasOwn(ENDPOINTS, api)) {
    throw new InvalidArgumentError(
      `api must be one of ${Object.keys(ENDPOINTS).join(', ')}; got ${kindOf(api)}.`,
    )
  }
  const endpoint = ENDPOINTS[api]
  const target: ClientEndpoint | undefined = client && endpoint.of(client)
  if (typeof target?.create !== 'function') {
    throw new InvalidArgumentError('The chain needs a client of the package openai: `client: new OpenAI()`.')
  }
  if (api === 'completions' && memory.returnMessages) {
    throw new InvalidArgumentError(
      "api 'completions' takes a string: give it a memory without returnMessages.",
    )
  }
  return { api, endpoint, create: (body: object, options: object) => target.create(body, options) }
}

function checkTemplate(
  { prompt }: ConversationChainOptions,
  memory: ConversationTokenBufferMemory,
): Template | undefined {
  if (!memory.returnMessages) {
    return prompt === undefined
      ? conversationTemplate(memory.humanPrefix, memory.aiPrefix)
      : parseTemplate(prompt, memory.memoryKey, memory.inputKey ?? 'input')
  }
  if (prompt === undefined) return undefined
  throw new InvalidArgumentError(
    'With returnMessages the history is sent as messages: give `system`, not `prompt`.',
  )
}

function checkRoom({ contextWindow, maxOutputTokens }: ConversationChainOptions) {
  if (contextWindow !== undefined && maxOutputTokens === undefined) {
    throw new InvalidArgumentError('With contextWindow give maxOutputTokens: the reply needs room as well.')
  }
  return {
    maxOutputTokens:
      maxOutputTokens === undefined ? undefined : checkWhole('maxOutputTokens', maxOutputTokens, 1),
    /** The most tokens that a request may have. */
    maxRequestTokens:
      contextWindow === undefined
        ? undefined
        : checkWhole('contextWindow', contextWindow, (maxOutputTokens ?? 0) + 1) - (maxOutputTokens ?? 0),
  }
}

function checkTools(tools: readonly Tool[], runTool: RunTool | undefined, api: Api): readonly Tool[] {
  if (!Array.isArray(tools)) {
    throw new InvalidArgumentError(`tools must be an array; got ${kindOf(tools)}.`)
  }
  for (const tool of tools) {
    if (tool?.type === 'function' && typeof tool.function?.name === 'string') continue
    if (tool?.type === 'custom' && typeof tool.custom?.name === 'string') continue
    throw new InvalidArgumentError(
      "Each tool must be { type: 'function', function: { name, … } } or a custom tool.",
    )
  }
  if (runTool !== undefined && typeof runTool !== 'function') {
    throw new InvalidArgumentError(
      `runTool must be a function (call) => what the tool answers; got ${kindOf(runTool)}.`,
    )
  }
  if (tools.length > 0 && !runTool) {
    throw new InvalidArgumentError('With tools give runTool: (call) => what the tool answers.')
  }
  if (tools.length > 0 && api === 'completions') {
    throw new InvalidArgumentError("api 'completions' knows no tools: use 'chat' or 'responses'.")
  }
  return tools
}

function checkParams(params: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (typeof params !== 'object' || params === null || Array.isArray(params)) {
    throw new InvalidArgumentError(`params must be an object of further fields; got ${kindOf(params)}.`)
  }
  const reserved = RESERVED.find((field) => field in params)
  if (reserved === undefined) return params
  throw new InvalidArgumentError(`params may not hold ${reserved}: the chain fills it.`)
}

function checkText(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new InvalidArgumentError(`${name} must be a non-empty string; got ${kindOf(value)}.`)
}
