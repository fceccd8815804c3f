import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore } from '../src/index.ts'
import { answerFromMessages } from '../src/local-model/answer.ts'
import { said, startChatServer, type ChatServer } from './examples/chat-server.ts'
import { callOf, environment, EXAMPLES, headerOf } from './examples/program.ts'
import { run } from './support/built-package.ts'
import { messagesIn } from './support/chains.ts'
import { createPostgres, type Created } from './support/databases.ts'
import { startModelServer, type ModelServer } from './support/model-server.ts'

/** Runs until it is stopped, and is tried out by requests. */
const SERVER = 'hono-server.ts'
/** What the others import. */
const STAND_IN = 'local-model.ts'

const FILES = readdirSync(EXAMPLES)
const PROGRAMS = FILES.filter((file) => file !== SERVER && file !== STAND_IN)

let folder: string
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'backscroll-examples-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('an example', () => {
  it.each(FILES.filter((file) => file !== STAND_IN))(
    'says how it is run, as this test runs it: %s',
    (file) => {
      expect(headerOf(file)).toMatchObject({ run: `examples/${file}` })
    },
  )

  it.each(PROGRAMS)('prints what it says without a key, on SQLite and on Postgres: %s', async (file) => {
    const postgres = await createPostgres()
    try {
      const ended = await Promise.all(
        [undefined, postgres.url].map((url) =>
          run(process.execPath, callOf(file), { cwd: folder, env: environment(url) }),
        ),
      )
      const stdout = `${headerOf(file)?.prints.replaceAll(' | ', '\n')}\n`
      expect(ended).toEqual([
        { stdout, stderr: '', exitCode: 0 },
        { stdout, stderr: '', exitCode: 0 },
      ])
    } finally {
      await postgres.drop()
    }
  })
})

describe.each(['SQLite', 'Postgres'])('the server of the examples on %s', (name) => {
  let postgres: Created | undefined
  let server: ChatServer
  // On SQLite it is given no URL, and keeps a file where it runs.
  const start = (modelUrl?: string) => startChatServer(folder, { databaseUrl: postgres?.url, modelUrl })
  beforeAll(async () => {
    postgres = name === 'Postgres' ? await createPostgres() : undefined
    server = await start()
  })
  afterAll(async () => {
    server[Symbol.dispose]()
    await postgres?.drop()
  })

  describe('without a key', () => {
    it('says where it listens', () => {
      expect(server.greeting.replace(/\d+$/, '3000')).toBe(headerOf(SERVER)?.prints)
    })

    it('answers two users at once, and neither sees what the other said', async () => {
      const talk = async (person: string, inputs: string[]) => {
        const answers = []
        for (const input of inputs) answers.push(await server.say(person, 'same', input))
        return answers
      }
      const ask = 'What have I told you?'
      const [ada, bo] = await Promise.all([
        talk('ada', ['My name is Ada.', 'I live in Oslo.', 'I have two cats.', ask]),
        talk('bo', ['My name is Bo.', 'I live in Rome.', 'I have a boat.', ask]),
      ])
      expect(ada.at(-1)).toEqual({
        text: 'You told me: your name is Ada; you live in Oslo; you have two cats.',
        end: 'done',
      })
      expect(bo.at(-1)).toEqual({
        text: 'You told me: your name is Bo; you live in Rome; you have a boat.',
        end: 'done',
      })
      const kept = await (await server.request('bo', '/conversations/same/messages')).json()
      expect(kept).toEqual([
        { role: 'user', content: 'My name is Bo.' },
        { role: 'assistant', content: bo[0]?.text },
        { role: 'user', content: 'I live in Rome.' },
        { role: 'assistant', content: bo[1]?.text },
        { role: 'user', content: 'I have a boat.' },
        { role: 'assistant', content: bo[2]?.text },
        { role: 'user', content: ask },
        { role: 'assistant', content: bo[3]?.text },
      ])
    })

    it('streams the stored answer to a request that is sent again, and stores it once', async () => {
      const again = { 'idempotency-key': 'request-7f3a' }
      const first = await server.say('ada', 'again', 'I live in Oslo.', again)
      expect(await server.say('ada', 'again', 'I live in Oslo.', again)).toEqual(first)
      expect(first).toEqual({ text: 'Noted: you live in Oslo.', end: 'done' })
      const kept = await (await server.request('ada', '/conversations/again/messages')).json()
      expect(kept).toHaveLength(2)
    })

    it('refuses who is not signed in, a body without an input, and an id that is too long', async () => {
      const path = '/conversations/refused/messages'
      const answers = [
        await server.request('eve', path, said('Hi.')),
        await server.request('ada', path, { ...said('Hi.'), body: '{"inp' }),
        await server.request('ada', path, { ...said('Hi.'), body: 'null' }),
        await server.request('ada', path, { ...said('Hi.'), body: '{"input":7}' }),
        await server.request('ada', `/conversations/${'x'.repeat(513)}/messages`, said('Hi.')),
      ]
      expect(answers.map(({ status }) => status)).toEqual([401, 400, 400, 400, 400])
      expect(await (await server.request('ada', path)).json()).toEqual([])
    })

    it('forgets a user for good, and nobody else', async () => {
      await server.say('ada', 'forgotten', 'My name is Ada.')
      await server.say('bo', 'forgotten', 'My name is Bo.')
      const { turns } = (await (await server.request('bo', '/me', { method: 'DELETE' })).json()) as {
        turns: number
      }
      expect(turns).toBeGreaterThan(0)
      const ask = 'What is my name?'
      const answers = [await server.say('ada', 'forgotten', ask), await server.say('bo', 'forgotten', ask)]
      expect(answers.map(({ text }) => text)).toEqual([
        'Your name is Ada.',
        'Nothing in the one message that I was sent tells me what your name is.',
      ])
    })
  })

  describe('started anew, with the server of a model', () => {
    let model: ModelServer
    /** Resolves when the model may answer. */
    let mayAnswer: Promise<void> | undefined
    beforeAll(async () => {
      model = await startModelServer(async (question) => {
        await mayAnswer
        return answerFromMessages(question)
      })
      await server.say('ada', 'restarted', 'My name is Ada.')
      await server.stop()
      await server.ended
      server = await start(model.url)
    })
    afterAll(() => model.close())

    it('remembers what was said to the process before it', async () => {
      const answer = await server.say('ada', 'restarted', 'What is my name?')
      expect(answer).toEqual({ text: 'Your name is Ada.', end: 'done' })
    })

    it('ends the request to the model when its client has gone, and stores nothing of it', async () => {
      model.next({ kind: 'hang', after: 3 })
      const gone = new AbortController()
      const path = '/conversations/aborted/messages'
      const response = await server.request('ada', path, {
        ...said('My name is Ada.'),
        signal: gone.signal,
      })
      await response.body!.getReader().read()
      gone.abort()
      expect(await model.requests.at(-1)!.aborted).toBe(true)

      await server.say('ada', 'aborted', 'What is my name?')
      expect(messagesIn(model.requests.at(-1)!)).toEqual([{ role: 'user', content: 'What is my name?' }])
    })

    it('tells its client when the model fails, and stores nothing of it', async () => {
      model.next({ kind: 'cut', after: 3 })
      expect(await server.say('ada', 'failed', 'My name is Ada.')).toEqual({
        text: 'Noted: your ',
        end: 'error',
      })
      expect(await (await server.request('ada', '/conversations/failed/messages')).json()).toEqual([])
    })

    it('lets an answer come to its end before it stops, stores it, and logs nothing that was said', async () => {
      let answerNow = () => {}
      mayAnswer = new Promise((resolve) => (answerNow = resolve))
      const answer = server.say('ada', 'stopped', 'My name is Ada.')
      await model.received(model.requests.length + 1)
      await server.stop()
      answerNow()
      expect(await answer).toEqual({ text: 'Noted: your name is Ada.', end: 'done' })
      const { exitCode, errors } = await server.ended
      expect(exitCode).toBe(0)
      expect(errors).toMatch(/^(Failed: \w+\n)*$/)

      await using store = await openStore(postgres?.url ?? `sqlite:${join(folder, 'chat.db')}`)
      const stored = store.conversation({ userId: 'ada', conversationId: 'stopped' })
      expect((await stored.loadWindow({ maxTokens: 100 })).messages).toEqual([
        { role: 'user', content: 'My name is Ada.' },
        { role: 'assistant', content: 'Noted: your name is Ada.' },
      ])
    })
  })
})
