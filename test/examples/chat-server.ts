import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { callOf, environment } from './program.ts'

/** The server of the examples, which runs in a process of its own. */
export interface ChatServer {
  /** Its first line. */
  readonly greeting: string
  /** Says something in a conversation of the person's, and reads the answer to its end. */
  say(person: string, conversation: string, input: string, headers?: Record<string, string>): Promise<Answer>
  /** Any other request of theirs. */
  request(person: string, path: string, init?: RequestInit): Promise<Response>
  /** Asks it to stop, and resolves when it is about to. */
  stop(): Promise<void>
  /** Resolves when it has ended. */
  readonly ended: Promise<{ readonly exitCode: number | null; readonly errors: string }>
  [Symbol.dispose](): void
}

/** An answer as it was streamed. */
interface Answer {
  readonly text: string
  /** The name of the last event. */
  readonly end: string | undefined
}

/** Starts it on a free port, in this folder, and waits until it listens. */
export async function startChatServer(
  cwd: string,
  variables: { databaseUrl?: string | undefined; modelUrl?: string | undefined } = {},
): Promise<ChatServer> {
  const child = spawn(process.execPath, callOf('hono-server.ts'), {
    cwd,
    env: { ...environment(variables.databaseUrl), OPENAI_BASE_URL: variables.modelUrl, PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = Promise.all([once(child, 'close'), text(child.stderr)]).then(([[exitCode], errors]) => ({
    exitCode: exitCode as number | null,
    errors,
  }))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const greeting = String((await lines.next()).value)
  const [url] = /http:\S+$/.exec(greeting) ?? []
  if (url === undefined) throw new Error(`The server does not listen:\n${(await ended).errors}`)

  const request: ChatServer['request'] = (person, path, init) =>
    fetch(`${url}${path}`, {
      ...init,
      headers: { authorization: `Bearer token-of-${person}`, ...init?.headers },
    })
  return {
    greeting,
    request,
    async say(person, conversation, input, headers) {
      const response = await request(person, `/conversations/${conversation}/messages`, said(input, headers))
      return read(await response.text())
    },
    async stop() {
      child.kill('SIGTERM')
      await lines.next()
    },
    ended,
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  }
}

/** The request that says something. */
export function said(input: string, headers?: Record<string, string>): RequestInit {
  return {
    method: 'POST',
    body: JSON.stringify({ input }),
    headers: { 'content-type': 'application/json', ...headers },
  }
}

function read(stream: string): Answer {
  const pieces = stream.matchAll(/^data: (".*")$/gm)
  const [, end] = /event: (\w+)\ndata: \n\n$/.exec(stream) ?? []
  return { text: Array.from(pieces, ([, json]) => JSON.parse(json!) as string).join(''), end }
}
