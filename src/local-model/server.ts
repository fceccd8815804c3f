import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { LOCAL_MODEL } from './answer.ts'
import { bodyOf } from './body.ts'
import { chat } from './chat.ts'
import { completions } from './completions.ts'
import type { Endpoint } from './endpoint.ts'
import { sendEvents } from './events.ts'
import type { Model } from './model.ts'
import { errorBody, RequestError } from './request-error.ts'
import { responses } from './responses.ts'

const ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map([
  ['/v1/chat/completions', chat],
  ['/v1/responses', responses],
  ['/v1/completions', completions],
])

const MODELS = '/v1/models'

/** A server that runs. */
export interface LocalServer extends AsyncDisposable {
  /** What a client takes as its base URL: `http://127.0.0.1:PORT/v1`. */
  readonly url: string
  /** Ends what is being answered, and frees the port. */
  close(): Promise<void>
}

/** Starts a server on a free port that nobody but this machine reaches. */
export function startServer(listener: RequestListener): Promise<LocalServer> {
  const server = createServer(listener)
  // Milliseconds. By default 5 s: a process that is busy for longer would then send its next request into a closed socket.
  server.keepAliveTimeout = 60_000
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      resolve({ url: `http://127.0.0.1:${port}/v1`, close, [Symbol.asyncDispose]: close })
    })
  })
}

/**
 * What answers a request: chat completions, responses and text completions, whole or streamed, and the list of models.
 *
 * @param options.pauseMs milliseconds between two pieces of a stream. Default 0; about 15 lets a person see it stream.
 */
export function modelListener(model: Model, { pauseMs = 0 }: { pauseMs?: number } = {}): RequestListener {
  return (request, response) => {
    answer(request, response, { model, pauseMs }).catch((error: unknown) => {
      if (response.headersSent) return response.destroy()
      const { status, body } = errorBody(error)
      return sendJson(response, status, body)
    })
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { model, pauseMs }: { model: Model; pauseMs: number },
): Promise<void> {
  const [path = ''] = (request.url ?? '').split('?', 1)
  const endpoint = ENDPOINTS.get(path)
  if (endpoint === undefined && path !== MODELS)
    throw new RequestError(
      404,
      'unknown_url',
      `There is nothing here. What there is: ${[...ENDPOINTS.keys(), MODELS].join(', ')}.`,
    )
  const method = endpoint === undefined ? 'GET' : 'POST'
  if (request.method !== method) {
    response.setHeader('allow', method)
    throw new RequestError(405, 'method_not_allowed', `The method here is ${method}.`)
  }
  if (endpoint === undefined) return sendJson(response, 200, MODEL_LIST)

  const body = await bodyOf(request)
  const messages = endpoint.messagesOf(body)
  const signal = signalOf(response)
  const reply = {
    id: randomUUID(),
    createdAt: Math.floor(Date.now() / 1000),
    model: typeof body['model'] === 'string' ? body['model'] : LOCAL_MODEL,
    body,
    answer: await model({ api: endpoint.api, messages, body, signal }),
  }
  if (body['stream'] === true) await sendEvents(response, endpoint.events(reply), { pauseMs, signal })
  else sendJson(response, 200, endpoint.whole(reply))
}

const MODEL_LIST = {
  object: 'list',
  data: [{ id: LOCAL_MODEL, object: 'model', created: 0, owned_by: 'backscroll' }],
}

/** Aborts when the client goes before the answer has ended. */
function signalOf(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort()
  })
  return gone.signal
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
