import { EventEmitter, once } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Answer, Model } from '../../src/local-model/model.ts'
import { modelListener, startServer, type LocalServer } from '../../src/local-model/server.ts'

/** What goes wrong with one request. `after` counts the events of its stream. */
export type Fault =
  /** This status and an error in OpenAI's form. The model is not asked, so no answer is taken from the script. */
  | {
      readonly kind: 'status'
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly error?: Readonly<Record<string, unknown>>
    }
  /** The connection breaks after so many events, or in the middle of the JSON of a reply that is not streamed. */
  | { readonly kind: 'cut'; readonly after: number }
  /** Nothing more comes after so many events, and the connection stays. With 0 not even a status comes. */
  | { readonly kind: 'hang'; readonly after: number }
  /** The stream ends after so many events, as if that were all. */
  | { readonly kind: 'end'; readonly after: number }
  /** An event with this data comes after so many others, and ends the stream. By default an error as chat sends it. */
  | { readonly kind: 'error-event'; readonly after: number; readonly data?: object }
  /** A status of 200, and what should be JSON is a page of a proxy. */
  | { readonly kind: 'not-json' }
  /** The stream does not say who speaks. */
  | { readonly kind: 'no-role' }
  /** All of the text comes, but not why it ended: no finish reason, no last event or status of a response. */
  | { readonly kind: 'no-finish-reason' }
  /** Every list of choices is empty, and so is the output of a response. */
  | { readonly kind: 'no-choices' }

/** A request as it came. */
export interface ReceivedRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** Parsed; the text itself where it is not JSON. */
  readonly body: unknown
  /** Settles when it is over: true when the client left before the answer had ended. */
  readonly aborted: Promise<boolean>
}

/** The server of the local model with a script for a model. `await using` closes it at the end of a test. */
export interface ModelServer extends LocalServer {
  /** In the order in which their bodies were complete. */
  readonly requests: readonly ReceivedRequest[]
  /** What goes wrong with the next requests, in order; undefined for one that goes well. */
  next(...faults: (Fault | undefined)[]): void
  /** Waits until so many requests have come. */
  received(count: number): Promise<void>
}

/**
 * Starts a server that a real client talks to.
 *
 * @param script a model, or its answers, taken from the front of the list as they are asked for; the list may grow.
 */
export async function startModelServer(script: Model | Answer[]): Promise<ModelServer> {
  const requests: ReceivedRequest[] = []
  const arrivals = new EventEmitter()
  const faults: (Fault | undefined)[] = []
  const listener = modelListener(typeof script === 'function' ? script : () => nextAnswer(script))

  const server = await startServer((request, response) => {
    const fault = faults.shift()
    recordRequest(request, response, (received) => {
      requests.push(received)
      arrivals.emit('request')
      if (fault?.kind === 'status') sendStatus(response, fault)
    })
    if (fault?.kind === 'status') return
    if (fault) breakResponse(response, fault)
    listener(request, response)
  })

  return {
    ...server,
    requests,
    next: (...more) => void faults.push(...more),
    received: async (count) => {
      while (requests.length < count) await once(arrivals, 'request')
    },
  }
}

function nextAnswer(answers: Answer[]): Answer {
  const answer = answers.shift()
  if (answer === undefined) throw new Error('The script has no more answers.')
  return answer
}

/** Reads along while the listener reads. */
function recordRequest(
  request: IncomingMessage,
  response: ServerResponse,
  onReceived: (received: ReceivedRequest) => void,
): void {
  const { method = '', url: path = '', headers } = request
  const aborted = new Promise<boolean>((resolve) => {
    response.once('close', () => resolve(!response.writableFinished && !brokenHere.has(response)))
  })
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.once('end', () => {
    const text = Buffer.concat(chunks).toString()
    onReceived({ method, path, headers, body: parsedOrText(text), aborted })
  })
}

function parsedOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function sendStatus(
  response: ServerResponse,
  { status, headers, error }: Extract<Fault, { kind: 'status' }>,
): void {
  const body = { error: { ...ERROR.error, ...error } }
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

/** Responses whose connection a fault broke: it was not the client that left. */
const brokenHere = new WeakSet<ServerResponse>()

const ERROR = { error: { message: 'A fault of the test.', type: 'server_error', param: null, code: null } }

/** Lets a fault change what the listener sends: an event of a stream is one `write`, a reply in one body one `end`. */
function breakResponse(response: ServerResponse, fault: Exclude<Fault, { kind: 'status' }>): void {
  const write = response.write.bind(response) as (text: string) => boolean
  const end = response.end.bind(response) as (text?: string) => ServerResponse
  /** Events that still get through; below 0 nothing does. */
  let left = 'after' in fault ? fault.after : Infinity

  const stop = () => {
    left = -1
    if (fault.kind === 'cut') cutConnection(response)
    if (fault.kind === 'end') end()
    if (fault.kind === 'error-event') end(`data: ${JSON.stringify(fault.data ?? ERROR)}\n\n`)
  }
  response.write = (event: string) => {
    if (left === 0) stop()
    if (left < 0) return true
    left--
    return write(changed(event, fault))
  }
  response.end = ((body?: string) => {
    if (body !== undefined) return endWhole(body)
    if (left === 0) stop()
    return left < 0 ? response : end()
  }) as ServerResponse['end']

  const endWhole = (body: string) => {
    const half = body.slice(0, body.length / 2)
    switch (fault.kind) {
      case 'hang':
        return response
      case 'cut':
        write(half)
        return cutConnection(response)
      case 'end':
        return end(half)
      case 'error-event':
        return end(JSON.stringify(fault.data ?? ERROR))
      default:
        return end(changed(body, fault))
    }
  }
}

/** What was written before is sent first. */
function cutConnection(response: ServerResponse): ServerResponse {
  brokenHere.add(response)
  response.flushHeaders()
  setImmediate(() => response.destroy())
  return response
}

/** The fields of a body, a chunk or an event that a fault takes away. */
interface Payload {
  readonly type?: string
  readonly status?: string
  readonly output?: readonly object[]
  readonly choices?: readonly { readonly delta?: object; readonly finish_reason?: string }[]
}

const CHANGES: Partial<Record<Fault['kind'], (payload: Payload) => object>> = {
  'no-role': (payload) => ({
    ...payload,
    choices: payload.choices?.map((choice) => ({ ...choice, delta: { ...choice.delta, role: undefined } })),
  }),
  'no-finish-reason': (payload) => ({
    ...payload,
    status: undefined,
    choices: payload.choices?.map((choice) => ({ ...choice, finish_reason: null })),
  }),
  'no-choices': (payload) => ({
    ...payload,
    output: payload.output && [],
    choices: payload.choices && [],
  }),
}

/** An event or a body with the fault in its JSON; an empty text where the fault takes it away. */
function changed(text: string, { kind }: Fault): string {
  if (kind === 'no-finish-reason' && /^event: response\.(completed|incomplete)$/m.test(text)) return ''
  if (kind === 'not-json') return text.replace(JSON_IN, '<html>Bad gateway</html>')
  const change = CHANGES[kind]
  return change ? text.replace(JSON_IN, (json) => JSON.stringify(change(JSON.parse(json)))) : text
}

/** The JSON of a body, or behind the `data:` of an event. */
const JSON_IN = /\{.*\}/s
