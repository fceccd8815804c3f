import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answerFromMessages } from '../src/local-model/answer.ts'
import { modelListener } from '../src/local-model/server.ts'

/** Between two words of a stream, so that one sees them come. Milliseconds. */
const PAUSE_MS = 15

/**
 * Has the examples run without a key: where the environment names neither a key nor a server, `new OpenAI()` finds there
 * the local model of `npx backscroll chat`, a small program that answers only from the messages that it is sent. It runs
 * in this process and ends with it. Your own app has no use for it.
 */
export async function answerWithoutKey(): Promise<void> {
  if (!process.env.OPENAI_API_KEY && !process.env.OPENAI_BASE_URL) {
    const server = createServer(modelListener(answerFromMessages, { pauseMs: PAUSE_MS }))
    // Neither it nor a connection that waits for the next question keeps a process alive that is done.
    server.on('connection', (socket) => socket.unref())
    await once(server.listen(0, '127.0.0.1'), 'listening')
    server.unref()
    process.env.OPENAI_BASE_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  }
  // A server of one's own takes any.
  process.env.OPENAI_API_KEY ||= 'none'
}
