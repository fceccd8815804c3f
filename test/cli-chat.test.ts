import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { reasonOf } from '../src/cli/chat/failure.ts'
import { printable } from '../src/cli/chat/printable.ts'
import { run } from '../src/cli/run.ts'
import {
  DatabaseUnavailableError,
  ModelTimeoutError,
  openStore,
  textFraming,
  type Message,
} from '../src/index.ts'
import { Conversation } from '../src/store/conversation.ts'
import { runCli, runHere, startCli, type Ended, type Here } from './support/cli.ts'
import { onEachDatabase } from './support/databases.ts'
import { startModelServer, type Fault, type ModelServer } from './support/model-server.ts'

const CTRL_C = '\u0003'
const CTRL_D = '\u0004'

/** Nothing of the machine's own that names a model. */
const NO_KEY = { OPENAI_API_KEY: undefined, OPENAI_BASE_URL: undefined }

const KEY = 'sk-canary-1234567890'

/** A chat at a pretended terminal, and what somebody sees of it. */
interface Seen {
  type(text: string): void
  /** Waits until a text shows, after what was waited for before; gives what stands between. */
  shows(text: string): Promise<string>
  /** All that was written, terminal codes included. */
  raw(): string
  readonly ended: Promise<number>
}

function atTerminal(
  args: readonly string[],
  { environment = {}, signal = new AbortController().signal }: Pick<Here, 'environment' | 'signal'> = {},
): Seen {
  const input = Object.assign(new PassThrough(), { isTTY: true })
  const output = Object.assign(new PassThrough(), { isTTY: true, columns: 100 })
  const arrivals = new EventEmitter()
  let raw = ''
  let text = ''
  let place = 0
  let isOver = false
  output.setEncoding('utf8').on('data', (piece: string) => {
    raw += piece
    text += stripVTControlCharacters(piece)
    arrivals.emit('change')
  })
  const ended = run(['chat', ...args], { input, output, errors: output, environment, signal }).then(
    (code) => {
      isOver = true
      setImmediate(() => arrivals.emit('change'))
      return code
    },
  )
  return {
    ended,
    type: (typed) => void input.write(typed),
    raw: () => raw,
    async shows(wanted) {
      for (;;) {
        const found = text.indexOf(wanted, place)
        if (found >= 0) {
          const between = text.slice(place, found)
          place = found + wanted.length
          return between
        }
        if (isOver) throw new Error(`The chat ended without “${wanted}”: ${text.slice(place)}`)
        await once(arrivals, 'change')
      }
    },
  }
}

/** A server whose model always says the same. */
async function modelServer(reply = 'one two three four'): Promise<ModelServer> {
  const server = await startModelServer(() => ({ content: reply }))
  onTestFinished(() => server.close())
  return server
}

function sent(server: ModelServer, request: number): Message[] {
  return (server.requests[request]!.body as { messages: Message[] }).messages
}

it('a chat in memory remembers for as long as it lasts', async () => {
  const chat = ['chat', '--database', 'sqlite::memory:']
  const ended = await runCli(chat, { input: 'my name is Ada\nwhat is my name?\n', environment: NO_KEY })
  expect(ended).toMatchObject({
    code: 0,
    output: 'backscroll-local> Noted: your name is Ada.\nbackscroll-local> Your name is Ada.\n',
  })
})

onEachDatabase('a chat', (database) => {
  let conversationId: string
  let count = 0
  beforeEach(() => void (conversationId = `chat-${++count}`))
  afterEach(() => void vi.restoreAllMocks())
  const options = (...more: string[]) => [
    '--database',
    database.url,
    '--conversation',
    conversationId,
    ...more,
  ]
  const stored = async () =>
    (await database.open()).conversation({ userId: 'me', conversationId }).listTurns({ limit: 1000 })

  it('in a pipe answers each line, prints only the replies, and goes on in the next run', async () => {
    const chat = ['chat', ...options()]
    const first = await runCli(chat, { input: 'my name is Ada\n\nI live in Oslo\n', environment: NO_KEY })
    expect(first.output).toBe(
      'backscroll-local> Noted: your name is Ada.\nbackscroll-local> Noted: you live in Oslo.\n',
    )
    expect(first.errors).toContain(
      'a new conversation.\nThere is no OPENAI_API_KEY, so backscroll-local answers',
    )
    expect(first.code).toBe(0)

    const next = await runCli(chat, { input: 'what is my name?', environment: NO_KEY })
    expect(next).toMatchObject({ code: 0, output: 'backscroll-local> Your name is Ada.\n' })
    expect(next.errors).toContain(`me, ${conversationId}: 2 turns, `)
    expect(await stored()).toHaveLength(3)
  })

  it('at a terminal says what is there, answers, shows the window, and goes on in the next run', async () => {
    const first = atTerminal(options('--limit', '40'))
    await first.shows('a new conversation.\n')
    expect(await first.shows('you> ')).toContain('backscroll-local answers')
    first.type('my name is Ada\r')
    await first.shows('backscroll-local> Noted: your name is Ada.\n')
    first.type('I live in Oslo, a town by the sea\r')
    await first.shows('backscroll-local> Noted')
    await first.shows('you> ')
    first.type('what is my name?\r')
    await first.shows('backscroll-local> ')
    expect(await first.shows('\n')).toMatch(/^Nothing in the .* tells me what your name is\.$/)
    await first.shows('you> ')
    first.type('/window\r')
    await first.shows('a limit of 40 tokens:\n')
    const view = await first.shows('you> ')
    const store = await database.open()
    const window = await store.conversation({ userId: 'me', conversationId }).loadWindow({ maxTokens: 40 })
    expect(window.omittedTurns).toBeGreaterThan(0)
    expect(view).toMatch(
      /my name is Ada\n(.*\n)*── cut: given from here on ─+\n(.*\n)*3 .* what is my name\?\n/,
    )
    expect(view).toContain(`Given: ${window.turns.length} turn`)
    expect(view).toContain(`${window.tokenCount} tokens. Left out: ${window.omittedTurns} turn`)
    first.type('/quit\r')
    expect(await first.ended).toBe(0)

    const next = atTerminal(options())
    await next.shows(`me, ${conversationId}: 3 turns, `)
    const newest = await next.shows('/help')
    expect(newest).not.toContain('my name is Ada')
    expect(newest).toContain('  Human: I live in Oslo, a town by the sea\n  AI: Noted')
    expect(newest).toContain('  Human: what is my name?\n  AI: Nothing in the')
    next.type('what is my name?\r')
    await next.shows('backscroll-local> Your name is Ada.\n')
    next.type(CTRL_D)
    expect(await next.ended).toBe(0)
  })

  it('stops a reply at Ctrl-C, and keeps what came of it as such', async () => {
    const server = await modelServer()
    server.next({ kind: 'hang', after: 3 })
    const chat = atTerminal(options('--base-url', server.url))
    await chat.shows('you> ')
    chat.type('count\rsent before the stop, and so dropped\r')
    // Two words are there while the reply is not complete.
    await chat.shows('gpt-5-mini> one two')
    chat.type(CTRL_C)
    await chat.shows('\nStopped. What came of the reply is kept.\n')
    expect(await server.requests[0]?.aborted).toBe(true)
    chat.type('/history\r')
    await chat.shows(', stopped\nHuman: count\nAI: one two')
    chat.type('go on\r')
    await chat.shows('one two three four\n')
    expect(sent(server, 1).map(({ content }) => String(content).trim())).toEqual([
      'count',
      'one two',
      'go on',
    ])
    chat.type('/quit\r')
    expect(await chat.ended).toBe(0)
    expect((await stored()).map(({ metadata }) => metadata)).toEqual([
      { partial: true, reason: 'aborted' },
      null,
    ])
  })

  it('saves a reply once more under its key when the first try fails, and says so', async () => {
    const append = vi
      .spyOn(Conversation.prototype, 'append')
      .mockRejectedValueOnce(new DatabaseUnavailableError('The database is busy.'))
    const ended = await runHere(['chat', ...options()], { input: 'my name is Ada\n' })
    expect(ended.code).toBe(0)
    expect(ended.errors).toContain('backscroll: The reply was not saved. Trying once more.\nSaved.\n')
    const [first, second] = append.mock.calls
    expect(second?.[1]?.idempotencyKey).toBe(first?.[1]?.idempotencyKey)
    expect(await stored()).toHaveLength(1)
  })

  it('says that a reply stays unsaved, and goes on', async () => {
    vi.spyOn(Conversation.prototype, 'append')
      .mockRejectedValueOnce(new DatabaseUnavailableError('The database is busy.'))
      .mockRejectedValueOnce(new DatabaseUnavailableError('The database is busy.'))
    const ended = await runHere(['chat', ...options()], { input: 'my name is Ada\nI live in Oslo\n' })
    expect(ended.code).toBe(1)
    expect(ended.output).toMatch(/name is Ada\.\n.*live in Oslo\.\n$/)
    expect(ended.errors).toContain('backscroll: The database is busy. The reply stays unsaved.\n')
    expect((await stored()).map(({ messages }) => messages[0]?.content)).toEqual(['I live in Oslo'])
  })

  it('drops all turns at /clear when that is confirmed, and not before', async () => {
    await runHere(['chat', ...options()], { input: 'my name is Ada\nI live in Oslo\n' })
    const chat = atTerminal(options())
    for (const answer of ['no\r', CTRL_C]) {
      await chat.shows('you> ')
      chat.type('/clear\r')
      await chat.shows('Type yes: ')
      chat.type(answer)
      await chat.shows('Nothing was dropped.\n')
    }
    expect(await stored()).toHaveLength(2)
    chat.type('/clear\r')
    await chat.shows('Type yes: ')
    chat.type('yes\r')
    await chat.shows('Dropped: 2 turns.\n')
    chat.type('/history\r')
    await chat.shows('Nothing is stored yet.\n')
    chat.type(CTRL_D)
    expect(await chat.ended).toBe(0)
    expect(await stored()).toEqual([])
  })

  it('goes on with a conversation as it was counted', async () => {
    const store = await database.open()
    const framing = textFraming({ humanPrefix: 'Q', aiPrefix: 'A' })
    const rule = { encoding: 'cl100k_base', framing } as const
    const kept = store.conversation({ userId: 'me', conversationId, ...rule })
    await kept.append([
      { role: 'user', content: 'Grüße aus Tromsø' },
      { role: 'assistant', content: 'Grüße zurück' },
    ])
    const before = await kept.listTurns()
    await runHere(['chat', ...options('--model', 'gpt-5-mini')], { input: 'my name is Ada\n' })
    expect(await kept.countedAs()).toEqual(rule)
    expect((await kept.listTurns()).slice(0, 1)).toEqual(before)
    expect(await kept.listTurns()).toHaveLength(2)
  })

  it('leaves a conversation alone that an app counts in chat form', async () => {
    const store = await database.open()
    const kept = store.conversation({ userId: 'me', conversationId, framing: 'chat' })
    await kept.append([{ role: 'user', content: 'hi' }])
    const ended = await runHere(['chat', ...options()], { input: 'my name is Ada\n' })
    expect(ended).toMatchObject({ code: 1, output: '' })
    expect(ended.errors).toMatch(/^backscroll: An app keeps this .*: backscroll recount --framing text\n$/)
    expect(await kept.countedAs()).toMatchObject({ framing: { kind: 'chat' } })
    expect(await kept.listTurns()).toHaveLength(1)
  })

  it('ends with 130 at a signal in a pipe, and keeps what came of the reply', async () => {
    const server = await modelServer()
    server.next({ kind: 'hang', after: 3 })
    const chat = startCli(['chat', ...options('--base-url', server.url)], { environment: NO_KEY })
    chat.stdin.write('count\n')
    await once(chat.stdout, 'data')
    chat.kill('SIGINT')
    const ended = await chat.ended
    expect(ended).toMatchObject({ code: 130 })
    expect(ended.errors).toMatch(/Stopped\. What came of the reply is kept\.\nbackscroll: Interrupted\.\n$/)
    expect((await stored()).map(({ metadata }) => metadata)).toEqual([{ partial: true, reason: 'aborted' }])
  })
})

describe('a chat', () => {
  const folder = mkdtempSync(join(tmpdir(), 'backscroll-chat-test-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  let url: string
  let count = 0
  beforeEach(() => void (url = `sqlite:${join(folder, `${++count}.db`)}`))
  const chatHere = (args: readonly string[], here: Here): Promise<Ended> =>
    runHere(['chat', '--database', url, ...args], here)

  describe('and its model', () => {
    it('is asked for by name, with the key, the system message and the history', async () => {
      const server = await modelServer('Hello.')
      const args = ['--base-url', server.url, '--model', 'llama3.2', '--system', 'Be brief.']
      const ended = await chatHere(args, { input: 'hi\nand you?\n', environment: { OPENAI_API_KEY: KEY } })
      expect(ended).toMatchObject({ code: 0, output: 'Hello.\nHello.\n' })
      expect(ended.errors).toContain(`llama3.2 at ${new URL(server.url).host} answers.`)
      expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
        `Bearer ${KEY}`,
        `Bearer ${KEY}`,
      ])
      expect(server.requests[1]?.body).toMatchObject({
        model: 'llama3.2',
        stream: true,
        messages: [
          { role: 'system', content: 'Be brief.' },
          { role: 'user', content: 'hi' },
          { role: 'assistant', content: 'Hello.' },
          { role: 'user', content: 'and you?' },
        ],
      })
    })

    it('is gpt-5-mini by default, on the server of the environment, which gets a placeholder for a key', async () => {
      const server = await modelServer('Hello.')
      const ended = await chatHere([], { input: 'hi\n', environment: { OPENAI_BASE_URL: server.url } })
      expect(ended).toMatchObject({ code: 0, output: 'Hello.\n' })
      expect(server.requests[0]).toMatchObject({
        headers: { authorization: 'Bearer none' },
        body: { model: 'gpt-5-mini' },
      })
    })

    it.each([
      ['gpt-4', 'cl100k_base'],
      ['gpt-5-mini', 'o200k_base'],
      ['llama3.2', 'o200k_base'],
    ])('%s begins a conversation that is counted in %s', async (model, encoding) => {
      await chatHere(['--model', model], { input: 'hi\n' })
      await using store = await openStore(url)
      const countedAs = await store.conversation({ userId: 'me', conversationId: 'chat' }).countedAs()
      expect(countedAs).toEqual({ encoding, framing: textFraming() })
    })

    it.each(['no url', 'ftp://127.0.0.1/v1', `http://me:${KEY}@127.0.0.1/v1`])(
      'has no URL that no request can go to: %s',
      async (baseUrl) => {
        const ended = await chatHere(['--base-url', baseUrl], { input: 'hi\n' })
        expect(ended).toMatchObject({ code: 2, output: '' })
        expect(ended.errors).toMatch(/^backscroll: A base URL is one of http or https, .*--help\n$/)
        expect(ended.errors).not.toContain(KEY)
      },
    )

    it('needs the package openai, and says how it is installed', async () => {
      vi.doMock('openai', () => {
        throw new Error('Cannot find package')
      })
      onTestFinished(() => vi.doUnmock('openai'))
      const ended = await chatHere([], { input: 'hi\n' })
      expect(ended).toMatchObject({ code: 1, output: '' })
      expect(ended.errors).toMatch(/^backscroll: A chat needs .*: npm install openai( \(\w+\))?\n$/)
    })
  })

  describe('when a reply fails', () => {
    const status = (code: number, error: Record<string, unknown> = {}): Fault => ({
      kind: 'status',
      status: code,
      headers: { 'x-should-retry': 'false' },
      error: { message: `You said: secret words\nwith ${KEY}`, ...error },
    })

    it.each<[string, Fault, string]>([
      [
        'a wrong key',
        status(401, { code: 'invalid_api_key' }),
        "The model's server refused (401 invalid_api_key). Is the key in OPENAI_API_KEY right? Nothing is kept of it.",
      ],
      [
        'too many requests',
        status(429, { code: 'insufficient_quota' }),
        "The model's server refused (429 insufficient_quota). It is asked too often, or the quota is used up: wait a little. Nothing is kept of it.",
      ],
      [
        'a model that is not there',
        status(404, { code: `${KEY} is no model` }),
        "The model's server refused (404). Are --model and --base-url right? Nothing is kept of it.",
      ],
      [
        'a history that is too long',
        status(400, { code: 'context_length_exceeded' }),
        "The model's server refused (400 context_length_exceeded). The messages are too long for the model: lower --limit. Nothing is kept of it.",
      ],
      [
        'a server that failed',
        status(500),
        "The model's server refused (500). Say it again in a while. Nothing is kept of it.",
      ],
      [
        'a connection that breaks off',
        { kind: 'cut', after: 3 },
        "The connection to the model's server broke off (UND_ERR_SOCKET). What came of the reply is kept.",
      ],
      [
        'an error in the stream',
        { kind: 'error-event', after: 3 },
        "The model's server refused. What came of the reply is kept.",
      ],
      [
        'a stream that ends without a reason',
        { kind: 'end', after: 3 },
        'The reply ended without a finish reason: it broke off. What came of the reply is kept.',
      ],
    ])('says so in a line and goes on: %s', async (_, fault, line) => {
      const server = await modelServer()
      server.next(fault)
      const ended = await chatHere(['--base-url', server.url], {
        input: 'first\nsecond\n',
        environment: { OPENAI_API_KEY: KEY },
      })
      expect(ended.errors.split('\n').slice(2)).toEqual([
        `backscroll: ${line}`,
        'backscroll: Not all went well: 1 line failed.',
        '',
      ])
      expect(ended.output).toBe(
        line.includes('What came') ? 'one two \none two three four\n' : 'one two three four\n',
      )
      expect(ended.code).toBe(1)
      expect(server.requests).toHaveLength(2)
    })

    // In a process of its own: the client prints such things by itself.
    it('prints nothing of what a server sent that is no reply', async () => {
      const server = await modelServer()
      server.next({ kind: 'not-json' })
      const ended = await runCli(['chat', '--database', url, '--base-url', server.url], {
        input: 'hi\n',
        environment: NO_KEY,
      })
      expect(ended).toMatchObject({ code: 1, output: '' })
      expect(ended.errors.split('\n').slice(2)).toEqual([
        'backscroll: Failed by an unforeseen SyntaxError. Nothing is kept of it.',
        'backscroll: Not all went well: 1 line failed.',
        '',
      ])
    })

    it('says that a server cannot be reached', async () => {
      const server = await modelServer()
      await server.close()
      const chat = atTerminal(['--database', url, '--base-url', server.url])
      await chat.shows('you> ')
      chat.type('hi\r')
      await chat.shows(
        "backscroll: The model's server cannot be reached (ECONNREFUSED). Is --base-url right?",
      )
      await chat.shows('you> ')
      chat.type(CTRL_D)
      expect(await chat.ended).toBe(0)
    })

    it('tells what backscroll itself says, and of anything else no more than its name', async () => {
      expect(await reasonOf(new ModelTimeoutError('The model was silent for 5 ms.'))).toBe(
        'The model was silent for 5 ms.',
      )
      expect(await reasonOf(new RangeError(`secret words with ${KEY}`))).toBe(
        'Failed by an unforeseen RangeError.',
      )
    })
  })

  describe('at a terminal', () => {
    it('leaves when Ctrl-C is pressed twice at the prompt, and drops what was typed at the first', async () => {
      const server = await modelServer()
      const chat = atTerminal(['--database', url, '--base-url', server.url])
      await chat.shows('you> ')
      chat.type(`dropped${CTRL_C}`)
      await chat.shows('Ctrl-C again leaves, and so does /quit.\n')
      chat.type('sent\r')
      await chat.shows('one two three four\n')
      // A message in between: it is the first again.
      await chat.shows('you> ')
      chat.type(CTRL_C)
      await chat.shows('Ctrl-C again leaves')
      chat.type(CTRL_C)
      expect(await chat.ended).toBe(0)
      expect(server.requests.map((_, request) => sent(server, request).at(-1)?.content)).toEqual(['sent'])
    })

    it('leaves when Ctrl-C is pressed twice in a reply', async () => {
      const server = await modelServer()
      server.next({ kind: 'hang', after: 0 })
      const chat = atTerminal(['--database', url, '--base-url', server.url])
      await chat.shows('you> ')
      chat.type('hi\r')
      await server.received(1)
      chat.type(CTRL_C + CTRL_C)
      await chat.shows('Stopped. Nothing is kept of it.\n')
      expect(await chat.ended).toBe(0)
    })

    it('sends several lines that are pasted as one message, at Enter', async () => {
      const server = await modelServer()
      const chat = atTerminal(['--database', url, '--base-url', server.url])
      await chat.shows('you> ')
      chat.type('\u001b[200~/first line\rsecond\r\rlast\u001b[201~')
      await chat.shows('/first line\r\n...> second\r\n...> \r\n...> last')
      expect(server.requests).toHaveLength(0)
      chat.type('!\r')
      await chat.shows('one two three four\n')
      expect(sent(server, 0).at(-1)?.content).toBe('/first line\nsecond\n\nlast!')
      chat.type('/quit\r')
      expect(await chat.ended).toBe(0)
      // Pastes are marked for as long as the chat runs, and not for what runs after it.
      expect(chat.raw().startsWith('\u001b[?2004h')).toBe(true)
      expect(chat.raw().endsWith('\u001b[?2004l')).toBe(true)
    })

    it('stays with who types between two Ctrl-C', async () => {
      const chat = atTerminal(['--database', url])
      await chat.shows('you> ')
      for (const draft of ['one', 'two']) {
        chat.type(draft + CTRL_C)
        await chat.shows('Ctrl-C again leaves')
      }
      chat.type(CTRL_C)
      expect(await chat.ended).toBe(0)
    })

    it('keeps what is typed in a reply for after it', async () => {
      const server = await modelServer()
      const chat = atTerminal(['--database', url, '--base-url', server.url])
      await chat.shows('you> ')
      chat.type('two\rthree\rbegun')
      expect(await chat.shows('gpt-5-mini> ')).toBe('two\r\n')
      expect(await chat.shows('you> ')).toBe('one two three four\n\n')
      expect(await chat.shows('gpt-5-mini> ')).toBe('three\n')
      await chat.shows('you> begun')
      chat.type(CTRL_C + CTRL_C)
      expect(await chat.ended).toBe(0)
      expect(server.requests).toHaveLength(2)
    })

    it('does not send a word that begins with a slash, unless a space stands before it', async () => {
      const server = await modelServer()
      const chat = atTerminal(['--database', url, '--base-url', server.url])
      await chat.shows('you> ')
      chat.type('/etc/hosts is what?\r')
      await chat.shows('There is no such command, and nothing was sent. See /help.\n')
      expect(server.requests).toHaveLength(0)
      chat.type('/help\r')
      await chat.shows('/window')
      await chat.shows('begin it with a space.\n')
      chat.type(' /etc/hosts is what?\r')
      await chat.shows('one two three four\n')
      expect(sent(server, 0).at(-1)?.content).toBe(' /etc/hosts is what?')
      chat.type('/quit\r')
      expect(await chat.ended).toBe(0)
    })

    it('shows the newest 20 turns, and all when asked', async () => {
      // More than one call of the store lists.
      const texts = Array.from({ length: 1002 }, (_, turn) => `message ${turn + 1}`)
      await using store = await openStore(url)
      const conversation = store.conversation({ userId: 'me', conversationId: 'chat' })
      for (const content of texts) await conversation.append([{ role: 'user', content }])
      const chat = atTerminal(['--database', url])
      await chat.shows('chat: 1,002 turns, ')
      await chat.shows('you> ')
      chat.type('/history\r')
      await chat.shows('… /history all shows the older ones.\n983  ')
      const said = (shown: string) => shown.match(/(?<=^Human: ).*$/gm)
      expect(said(await chat.shows('you> '))).toEqual(texts.slice(-20))
      chat.type('/history all\r')
      expect(said(await chat.shows('you> '))).toEqual(texts)
      chat.type(CTRL_D)
      expect(await chat.ended).toBe(0)
    })

    it('lets no text act on the terminal, received or stored, and keeps it as it is', async () => {
      const reply = 'a\u001b]0;title\u0007b\u009b31mc\r\u202ed\ttab\nline'
      const server = await modelServer(reply)
      const chat = atTerminal(['--database', url, '--base-url', server.url])
      await chat.shows('you> ')
      chat.type('hi\r')
      await chat.shows('gpt-5-mini> a]0;titleb31mcd\ttab\nline\n')
      await chat.shows('you> ')
      chat.type('/history\r')
      await chat.shows('AI: a]0;titleb31mcd\ttab\nline\n')
      await chat.shows('you> ')
      chat.type('/quit\r')
      await chat.ended
      const next = atTerminal(['--database', url, '--base-url', server.url])
      await next.shows('/help')
      next.type(CTRL_D)
      await next.ended
      for (const code of ['\u001b]', '\u0007', '\u009b', '\u202e'])
        expect(chat.raw() + next.raw(), JSON.stringify(code)).not.toContain(code)
      await using store = await openStore(url)
      const [turn] = await store.conversation({ userId: 'me', conversationId: 'chat' }).listTurns()
      expect(turn?.messages[1]?.content).toBe(reply)
    })

    it('ends with 130 when the process is told to stop', async () => {
      const controller = new AbortController()
      const chat = atTerminal(['--database', url], { signal: controller.signal })
      await chat.shows('you> ')
      controller.abort()
      expect(await chat.ended).toBe(130)
      expect(chat.raw()).toContain('\u001b[?2004l')
    })
  })

  describe('in a pipe', () => {
    it('does what lines with a slash say, off standard output, but drops nothing where nobody can be asked', async () => {
      const ended = await chatHere([], { input: 'my name is Ada\n/window\n/history\n/clear\n/history\n' })
      expect(ended).toMatchObject({ code: 0, output: 'backscroll-local> Noted: your name is Ada.\n' })
      expect(ended.errors).toContain('1 turn, ')
      expect(ended.errors).toContain('\nHuman: my name is Ada\nAI: Noted: your name is Ada.\n')
      expect(ended.errors).toMatch(/Nothing was dropped\.\n.*\nHuman: my name is Ada\n/)
      expect(stripVTControlCharacters(ended.errors + ended.output)).toBe(ended.errors + ended.output)
    })

    it('fails at the end when a line was not sent, for a script to see', async () => {
      const ended = await chatHere([], { input: '/nope\nmy name is Ada\n' })
      expect(ended).toMatchObject({ code: 1, output: 'backscroll-local> Noted: your name is Ada.\n' })
      expect(ended.errors).toContain('There is no such command, and nothing was sent.')
    })

    it('ends at /quit while the pipe is open, with nothing left that runs', async () => {
      const chat = startCli(['chat', '--database', url], { environment: NO_KEY })
      chat.stdin.write('my name is Ada\n/quit\n')
      expect(await chat.ended).toMatchObject({
        code: 0,
        output: 'backscroll-local> Noted: your name is Ada.\n',
      })
    })
  })

  it('refuses options that are wrong before it opens anything', async () => {
    for (const wrong of [['--limit', '-1'], ['--retention', '2'], ['--colour', 'red'], ['hello']]) {
      const ended = await chatHere(wrong, { input: 'hi\n' })
      expect(ended, wrong.join(' ')).toMatchObject({ code: 2, output: '' })
    }
  })

  it('shows a piece of text without what acts on a terminal, its line breaks as they are', () => {
    expect(printable('a\r\nb\tc\u001b[2J\u0000\u007f\u0085\u2067é👩‍👩‍👧')).toBe('a\nb\tc[2Jé👩‍👩‍👧')
  })
})
