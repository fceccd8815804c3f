import { IncompleteReplyError, ModelTimeoutError } from '../errors.ts'
import { inTime, LATE } from '../in-time.ts'
import type { ModelRequest } from './endpoints/endpoint.ts'
import type { ChainSettings } from './options.ts'
import type { Reply } from './reply.ts'

/** How long what may follow a finish reason, such as the usage, is waited for. Milliseconds. */
const AFTERWARDS_MS = 5000

/** How the model is asked. */
export interface AskOptions {
  /** True yields the pieces of the reply as they come; false asks for it whole, and yields it in one piece. */
  readonly streaming: boolean
  readonly signal: AbortSignal | undefined
}

/**
 * Asks the model once, fills the reply and yields the text in it. However this ends, the request ends with it, and it
 * ends when the signal aborts, though nobody reads then. The client's own errors pass as they are; once a stream has
 * given its finish reason they, the deadline and the signal play no part any more.
 *
 * @throws {ModelTimeoutError} when the model was silent for too long.
 * @throws {IncompleteReplyError} when the reply came to no end.
 * @throws the signal's reason when it aborts: looked at here, since the client ends an aborted stream as if that had
 *   come to its end.
 */
export async function* ask(
  settings: ChainSettings,
  request: ModelRequest,
  reply: Reply,
  { streaming, signal }: AskOptions,
): AsyncGenerator<string, void> {
  const { endpoint, create, deadlineMs } = settings
  const wait = <T>(work: PromiseLike<T>) => {
    const silenceMs = reply.finishReason === undefined ? deadlineMs : Math.min(deadlineMs, AFTERWARDS_MS)
    return inTime(work, performance.now() + silenceMs, signal)
  }
  const controller = new AbortController()
  const stop = () => controller.abort()
  let pieces: AsyncIterator<unknown> | undefined
  try {
    signal?.throwIfAborted()
    signal?.addEventListener('abort', stop, { once: true })
    // OpenAI refuses the options of a stream where none is asked for.
    const { stream_options: _, ...paramsOfWhole } = request.params
    const asked = endpoint.body(request)
    const body = streaming ? { ...request.params, ...asked, stream: true } : { ...paramsOfWhole, ...asked }
    const answer = await wait(create(body, { signal: controller.signal }))
    if (streaming) {
      pieces = (answer as AsyncIterable<unknown>)[Symbol.asyncIterator]()
      for (let step = await wait(pieces.next()); !step.done; step = await wait(pieces.next())) {
        const text = endpoint.readPiece(reply, step.value)
        if (text !== '') yield text
      }
    } else {
      endpoint.readWhole(reply, answer)
      if (reply.shown !== '') yield reply.shown
    }
  } catch (error) {
    // What follows a finish reason is the usage at most: a reply that is complete is kept.
    if (!streaming || reply.finishReason === undefined) {
      if (error === LATE) throw new ModelTimeoutError(`The model was silent for ${deadlineMs} ms.`)
      signal?.throwIfAborted()
      throw error
    }
  } finally {
    signal?.removeEventListener('abort', stop)
    stop()
    // A client that wraps another one may have its own to do at the end. Not waited for: it may hang.
    void Promise.resolve(pieces?.return?.()).catch(() => {})
  }
  checkComplete(reply)
}

/** Calls of tools that the limit of tokens cut off are not whole, and are not to be run. */
function checkComplete(reply: Reply): void {
  if (reply.finishReason === undefined) {
    throw new IncompleteReplyError('The reply ended without a finish reason: it broke off.')
  }
  if (reply.toolCalls.length > 0 && isCutOff(reply)) {
    throw new IncompleteReplyError(`The reply was cut off (${reply.finishReason}) in a call of a tool.`)
  }
}

/** Whether the model had more to say. */
export function isCutOff({ finishReason = '' }: Reply): boolean {
  return ['length', 'max_output_tokens', 'content_filter'].includes(finishReason)
}
