import type { IncomingMessage } from 'node:http'
import { isRecord } from './endpoint.ts'
import { RequestError } from './request-error.ts'

/** The most bytes of a request that are kept: 32 MiB, many times what any model's context holds as JSON. */
export const MAX_BODY_BYTES = 32 * 1024 * 1024

/**
 * The body of a request, an object in JSON.
 *
 * @throws {RequestError} when it is none, or has more than {@link MAX_BODY_BYTES}.
 */
export async function bodyOf(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = []
  let bytes = 0
  // It is read to its end even when it is too large: a client that is still sending would not see the answer.
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk)
  }
  if (bytes > MAX_BODY_BYTES)
    throw new RequestError(413, 'request_too_large', `The body has more than ${MAX_BODY_BYTES} bytes.`)
  const body = parsed(Buffer.concat(chunks).toString())
  if (!isRecord(body)) throw new RequestError(400, 'invalid_json', 'The body is not an object in JSON.')
  return body
}

/** The value of a JSON text, or undefined: the parser's own error repeats the text. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
