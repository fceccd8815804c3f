import { IncompleteReplyError, ModelTimeoutError } from '../errors.ts'
import { inTime, LATE } from '../in-time.ts'
import type { ModelRequest } from './endpoints/endpoint.ts'
import type { ChainSettings } from './options.ts'
import type { Reply } from './reply.ts'

/** How the model is asked. */
export interface AskOptions {
  /** True yields the pieces of the reply as they come; false asks for it whole, and yields it in one piece. */
  readonly streaming: boolean
  readonly signal: AbortSignal | undefined
}

/**
 * Asks the model once, fills the reply and yields the text in it. However this ends, the request ends with it. The
 * client's own errors pass as they are.
 *
 * @throws {ModelTimeoutError} when the model was silent for too long.
 * @throws {IncompleteReplyError} when the reply came to no end.
 * @throws the signal's reason when it aborts. The client is not given the signal: it would end an aborted stream as if
 *   that had come to its end.
 */
export async function* ask(
  settings: ChainSettings,
  request: ModelRequest,
  reply: Reply,
  { streaming, signal }: AskOptions,
): AsyncGenerator<string, void> {
  const { endpoint, create, params, deadlineMs } = settings
  const wait = <T>(work: PromiseLike<T>) => inTime(work, performance.now() + deadlineMs, signal)
  const controller = new AbortController()
  try {
    signal?.throwIfAborted()
    // OpenAI refuses the options of a stream where none is asked for.
    const { stream_options: _, ...paramsOfWhole } = params
    const asked = endpoint.body(request)
    const body = streaming ? { ...params, ...asked, stream: true } : { ...paramsOfWhole, ...asked }
    const answer = await wait(create(body, { signal: controller.signal }))
    if (streaming) {
      const pieces = (answer as AsyncIterable<unknown>)[Symbol.asyncIterator]()
      for (let step = await wait(pieces.next()); !step.done; step = await wait(pieces.next())) {
        const text = endpoint.readPiece(reply, step.value)
        if (text !== '') yield text
      }
    } else {
      endpoint.readWhole(reply, answer)
      if (reply.shown !== '') yield reply.shown
    }
  } catch (error) {
    if (error === LATE) throw new ModelTimeoutError(`The model was silent for ${deadlineMs} ms.`)
    signal?.throwIfAborted()
    throw error
  } finally {
    controller.abort()
  }
  checkComplete(reply)
}

/** Calls of tools that the limit of tokens cut off are not whole, and are not to be run. */
function checkComplete({ finishReason, toolCalls }: Reply): void {
  if (finishReason === undefined) {
    throw new IncompleteReplyError('The reply ended without a finish reason: it broke off.')
  }
  if (toolCalls.length > 0 && CUT_OFF.includes(finishReason)) {
    throw new IncompleteReplyError(`The reply was cut off (${finishReason}) in a call of a tool.`)
  }
}

/** Finish reasons of a reply that had more to say. */
const CUT_OFF = ['length', 'max_output_tokens', 'content_filter']
