import { MissingDriverError, type OpenAIClient } from '../../index.ts'
import { answerFromMessages, LOCAL_MODEL } from '../../local-model/answer.ts'
import { modelListener, startServer, type LocalServer } from '../../local-model/server.ts'
import { WrongArgumentsError } from '../arguments.ts'

/** The model that answers in a chat. */
export interface ChatModel extends AsyncDisposable {
  readonly client: OpenAIClient
  /** As its server knows it. */
  readonly name: string
  /** Whether it is the one that is built in. */
  readonly isLocal: boolean
  /** The server, where it is not OpenAI's own. */
  readonly host: string | undefined
}

/** Which model, on which server. */
export interface ChatModelOptions {
  readonly model: string
  readonly apiKey: string | undefined
  /** Default: OpenAI's. Its servers need no key of ours: Ollama and the like take any. */
  readonly baseUrl: string | undefined
  /** Whether a person sees the reply come, and can ask again. */
  readonly isWatched: boolean
}

/** Between two words of the built-in model, so that one sees them come. Milliseconds. */
const PAUSE_MS = 15

/** As the package does by itself. */
const RETRIES = 2

/**
 * The model that was asked for. With neither a key nor a server of one's own it is the built-in one, behind a server of
 * its own on this machine.
 *
 * @throws {WrongArgumentsError} for a base URL that no request could go to.
 * @throws {MissingDriverError} when the package openai cannot be loaded.
 */
export async function openModel({ model, apiKey, baseUrl, isWatched }: ChatModelOptions): Promise<ChatModel> {
  const host = baseUrl === undefined ? undefined : hostOf(baseUrl)
  const { OpenAI } = await loadOpenAI()
  const server =
    apiKey === undefined && host === undefined ? await startLocal(isWatched ? PAUSE_MS : 0) : undefined
  return {
    client: new OpenAI({
      apiKey: apiKey ?? 'none',
      baseURL: server?.url ?? baseUrl,
      // It waits between two tries for as long as the server says, up to a minute, and nothing stops that wait: whoever
      // leaves meanwhile would wait as well. A person sees the error and says it again.
      maxRetries: isWatched ? 0 : RETRIES,
      // It quotes what was received.
      logLevel: 'off',
    }),
    name: server ? LOCAL_MODEL : model,
    isLocal: server !== undefined,
    host,
    [Symbol.asyncDispose]: async () => server?.close(),
  }
}

/** The package that speaks to models. @throws {MissingDriverError} when it cannot be loaded. */
export async function loadOpenAI() {
  try {
    return await import('openai')
  } catch (error) {
    throw new MissingDriverError('A chat needs the package openai, version 5, 6 or 7: npm install openai', {
      cause: error,
    })
  }
}

function startLocal(pauseMs: number): Promise<LocalServer> {
  return startServer(modelListener(answerFromMessages, { pauseMs }))
}

function hostOf(baseUrl: string): string {
  const { protocol, username, password, host } = new URL(URL.canParse(baseUrl) ? baseUrl : 'none:')
  if (/^https?:$/.test(protocol) && username === '' && password === '') return host
  throw new WrongArgumentsError(
    'A base URL is one of http or https, without a user and password: the key is OPENAI_API_KEY.',
  )
}
