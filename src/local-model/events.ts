import type { ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { setTimeout } from 'node:timers/promises'
import type { StreamEvent } from './endpoint.ts'

/** Sends events one by one, and waits where the client is slow to read them. Each is one write. */
export async function sendEvents(
  response: ServerResponse,
  events: Iterable<StreamEvent>,
  { pauseMs, signal }: { pauseMs: number; signal: AbortSignal },
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  await pipeline(async function* () {
    for (const event of events) {
      yield frame(event)
      // the signal, so that a client that has gone leaves no timer behind
      if (pauseMs > 0) await setTimeout(pauseMs, undefined, { signal })
    }
  }, response)
}

function frame({ event, data }: StreamEvent): string {
  const name = event === undefined ? '' : `event: ${event}\n`
  return `${name}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`
}
