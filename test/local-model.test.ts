import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import OpenAI, { APIUserAbortError, type APIError } from 'openai'
import OpenAI5 from 'openai-5'
import OpenAI7 from 'openai-7'
import { describe, expect, it } from 'vitest'
import { answerFromMessages, LOCAL_MODEL } from '../src/local-model/answer.ts'
import { MAX_BODY_BYTES } from '../src/local-model/body.ts'
import type { Answer, Question } from '../src/local-model/model.ts'
import { modelListener, startServer } from '../src/local-model/server.ts'
import type { Message, ToolCall } from '../src/index.ts'
import { gate } from './support/hosts.ts'
import { startModelServer, type Fault, type ModelServer } from './support/model-server.ts'
import { ROOT } from './support/source.ts'

// the three majors take the same calls, and the types of one do for all
const CLIENTS = [
  { major: 5, Client: OpenAI5 as unknown as typeof OpenAI },
  { major: 6, Client: OpenAI },
  { major: 7, Client: OpenAI7 as unknown as typeof OpenAI },
]

const FUNCTION: ToolCall = {
  id: 'call_1',
  type: 'function',
  function: { name: 'weather', arguments: '{"city":"Ørsta","unit":"celsius"}' },
}
const CUSTOM: ToolCall = {
  id: 'call_2',
  type: 'custom',
  custom: { name: 'run', input: 'print("👩‍👩‍👧")\nexit()' },
}

const CALLS: Answer = { content: 'Let me look.', toolCalls: [FUNCTION, CUSTOM] }
const USAGE = { inputTokens: 11, outputTokens: 4 }
const TEXT = ' Hi there!  Zażółć 👋🏽\n\nBye. '

/** The question of every test that is not about the question. */
const ASKED = { model: 'gpt-x', messages: [{ role: 'user' as const, content: 'hi' }] }
const INPUT = { model: 'gpt-x', input: 'hi' }
const PROMPT = { model: 'gpt-x', prompt: 'hi' }

describe.each(CLIENTS)('the openai client of major $major', ({ Client }) => {
  const clientOf = (server: ModelServer) => new Client({ apiKey: 'none', baseURL: server.url, maxRetries: 0 })

  it('gets a chat completion, whole and in pieces that make the same text', async () => {
    await using server = await startModelServer(() => ({ content: TEXT, usage: USAGE }))
    const client = clientOf(server)
    const whole = await client.chat.completions.create(ASKED)
    expect(whole).toMatchObject({
      object: 'chat.completion',
      model: 'gpt-x',
      choices: [{ finish_reason: 'stop', message: { role: 'assistant', content: TEXT, refusal: null } }],
      usage: { prompt_tokens: 11, completion_tokens: 4, total_tokens: 15 },
    })
    const chunks = await all(
      await client.chat.completions.create({
        ...ASKED,
        stream: true,
        stream_options: { include_usage: true },
      }),
    )
    expect(chunks[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' })
    const pieces = chunks.map(({ choices }) => choices[0]?.delta.content).filter(Boolean)
    expect(pieces).toEqual([' ', 'Hi ', 'there!  ', 'Zażółć ', '👋🏽\n\n', 'Bye. '])
    expect(chunks.map(({ choices }) => choices[0]?.finish_reason).filter(Boolean)).toEqual(['stop'])
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 15 } })
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1)
    const helped = await client.chat.completions.stream(ASKED).finalChatCompletion()
    expect(helped.choices[0]?.message.content).toBe(TEXT)
  })

  it('gets calls of functions and of custom tools in chat, whole and in pieces', async () => {
    await using server = await startModelServer(() => CALLS)
    const client = clientOf(server)
    const [choice] = (await client.chat.completions.create(ASKED)).choices
    expect(choice).toMatchObject({ finish_reason: 'tool_calls', message: { content: 'Let me look.' } })
    expect(choice?.message.tool_calls).toEqual([FUNCTION, CUSTOM])

    const chunks = await all(await client.chat.completions.create({ ...ASKED, stream: true }))
    const deltas = chunks.flatMap(({ choices }) => (choices[0]?.delta.tool_calls ?? []) as CallDelta[])
    expect(deltas.length).toBeGreaterThan(6)
    expect([joinedCall(deltas, 0), joinedCall(deltas, 1)]).toEqual([FUNCTION, CUSTOM])
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('tool_calls')
  })

  it('gets a response, whole and in numbered events that make the same output', async () => {
    await using server = await startModelServer(() => ({ content: TEXT, usage: USAGE }))
    const client = clientOf(server)
    const whole = await client.responses.create({ ...INPUT, instructions: 'Be kind.' })
    expect(whole).toMatchObject({ status: 'completed', output_text: TEXT, instructions: 'Be kind.' })
    expect(whole.usage).toMatchObject({ input_tokens: 11, output_tokens: 4, total_tokens: 15 })

    const events = await all(await client.responses.create({ ...INPUT, stream: true }))
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index))
    expect(runs(events.map(({ type }) => type))).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ])
    const deltas = events.flatMap((event) =>
      event.type === 'response.output_text.delta' ? [event.delta] : [],
    )
    expect(deltas).toEqual([' ', 'Hi ', 'there!  ', 'Zażółć ', '👋🏽\n\n', 'Bye. '])
    const final = await client.responses.stream(INPUT).finalResponse()
    expect(final).toMatchObject({ status: 'completed', output: [{ content: [{ text: TEXT }] }] })
  })

  it('gets calls of functions and of custom tools in a response, whole and in pieces', async () => {
    await using server = await startModelServer(() => CALLS)
    const client = clientOf(server)
    const output = [
      { type: 'message', status: 'completed', content: [{ type: 'output_text', text: 'Let me look.' }] },
      { type: 'function_call', call_id: 'call_1', name: 'weather', arguments: FUNCTION.function.arguments },
      { type: 'custom_tool_call', call_id: 'call_2', name: 'run', input: CUSTOM.custom.input },
    ]
    expect((await client.responses.create(INPUT)).output).toMatchObject(output)
    expect((await client.responses.stream(INPUT).finalResponse()).output).toMatchObject(output)
    const events = await all(await client.responses.create({ ...INPUT, stream: true }))
    const pieces = (type: string) =>
      events.flatMap((event) => (event.type === type && 'delta' in event ? [event.delta] : [])).join('')
    expect(pieces('response.function_call_arguments.delta')).toBe(FUNCTION.function.arguments)
    expect(pieces('response.custom_tool_call_input.delta')).toBe(CUSTOM.custom.input)
  })

  it('gets a text completion, whole and in pieces that make the same text', async () => {
    await using server = await startModelServer(() => ({ content: TEXT, usage: USAGE }))
    const client = clientOf(server)
    const whole = await client.completions.create(PROMPT)
    expect(whole).toMatchObject({ object: 'text_completion', usage: { total_tokens: 15 } })
    expect(whole.choices).toEqual([{ index: 0, text: TEXT, logprobs: null, finish_reason: 'stop' }])
    const chunks = await all(
      await client.completions.create({ ...PROMPT, stream: true, stream_options: { include_usage: true } }),
    )
    expect(chunks.map(({ choices }) => choices[0]?.text ?? '').join('')).toBe(TEXT)
    expect(chunks.map(({ choices }) => choices[0]?.finish_reason).filter(Boolean)).toEqual(['stop'])
    expect(chunks.at(-1)?.usage?.total_tokens).toBe(15)
  })

  it('gets a refusal as a refusal', async () => {
    await using server = await startModelServer(() => ({ refusal: 'I will not.' }))
    const client = clientOf(server)
    const [choice] = (await client.chat.completions.create(ASKED)).choices
    expect(choice?.message).toMatchObject({ content: null, refusal: 'I will not.' })
    const chunks = await all(await client.chat.completions.create({ ...ASKED, stream: true }))
    expect(chunks.map(({ choices }) => choices[0]?.delta.refusal ?? '').join('')).toBe('I will not.')
    const output = [{ type: 'message', content: [{ type: 'refusal', refusal: 'I will not.' }] }]
    expect((await client.responses.create(INPUT)).output).toMatchObject(output)
    expect((await client.responses.stream(INPUT).finalResponse()).output).toMatchObject(output)
  })

  it.each([
    ['length', 'max_output_tokens'],
    ['content_filter', 'content_filter'],
  ])('learns that an answer ended by %s', async (finishReason, reason) => {
    await using server = await startModelServer(() => ({ content: 'Cut sh', finishReason }))
    const client = clientOf(server)
    const incomplete = { status: 'incomplete', incomplete_details: { reason } }
    expect((await client.chat.completions.create(ASKED)).choices[0]?.finish_reason).toBe(finishReason)
    expect((await client.completions.create(PROMPT)).choices[0]?.finish_reason).toBe(finishReason)
    expect(await client.responses.create(INPUT)).toMatchObject(incomplete)
    const events = await all(await client.responses.create({ ...INPUT, stream: true }))
    expect(events.at(-1)).toMatchObject({ type: 'response.incomplete', response: incomplete })
  })

  it('finds the local model in the list of models', async () => {
    await using server = await startModelServer([])
    const { data } = await clientOf(server).models.list()
    expect(data.map(({ id }) => id)).toEqual([LOCAL_MODEL])
  })

  it('gets an error that it knows, with a code', async () => {
    await using server = await startModelServer([])
    const client = clientOf(server)
    await expect(client.embeddings.create({ model: 'gpt-x', input: 'hi' })).rejects.toMatchObject({
      status: 404,
      code: 'unknown_url',
      type: 'invalid_request_error',
    })
    await expect(client.chat.completions.create({ ...ASKED, messages: [] })).rejects.toMatchObject({
      status: 400,
      code: 'missing_messages',
      param: 'messages',
    })
  })
})

describe('a question', () => {
  it('is the same messages whichever endpoint it comes by', async () => {
    const questions: Question[] = []
    await using server = await startModelServer((question) => {
      questions.push(question)
      return { content: 'ok' }
    })
    const client = new OpenAI({ apiKey: 'none', baseURL: server.url, maxRetries: 0 })
    const messages: Message[] = [
      { role: 'system', content: 'Be kind.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look:' },
          { type: 'image_url', image_url: { url: 'data:,x' } },
        ],
      },
      { role: 'assistant', content: 'Let me look.', tool_calls: [FUNCTION, CUSTOM] },
      { role: 'tool', tool_call_id: 'call_1', content: '8 degrees' },
      { role: 'tool', tool_call_id: 'call_2', content: [{ type: 'text', text: 'done' }] },
      { role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }] },
      { role: 'user', content: 'Why?' },
    ]
    await client.chat.completions.create({ model: 'gpt-x', messages } as never)
    await client.responses.create({
      model: 'gpt-x',
      instructions: 'Be kind.',
      input: [
        {
          role: 'user',
          content: [
            { type: 'input_text', text: 'Look:' },
            { type: 'input_image', image_url: 'data:,x', detail: 'auto' },
          ],
        },
        { type: 'reasoning', id: 'rs_1', summary: [] },
        { role: 'assistant', content: 'Let me look.' },
        { type: 'function_call', call_id: 'call_1', ...FUNCTION.function },
        { type: 'custom_tool_call', call_id: 'call_2', ...CUSTOM.custom },
        { type: 'function_call_output', call_id: 'call_1', output: '8 degrees' },
        {
          type: 'custom_tool_call_output',
          call_id: 'call_2',
          output: [{ type: 'input_text', text: 'done' }],
        },
        {
          type: 'message',
          id: 'msg_1',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'refusal', refusal: 'No.' }],
        },
        { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Why?' }] },
      ],
    })
    await client.completions.create(PROMPT)
    const [chat, responses, completions] = questions
    expect(chat).toMatchObject({ api: 'chat', messages, body: { model: 'gpt-x' } })
    expect(responses?.api).toBe('responses')
    expect(responses?.messages).toEqual([
      ...messages.slice(0, -1),
      { role: 'user', content: [{ type: 'text', text: 'Why?' }] },
    ])
    expect(completions).toMatchObject({ api: 'completions', messages: [{ role: 'user', content: 'hi' }] })
  })

  const CANARY = 'canary-4711'
  it.each([
    ['not JSON', '/chat/completions', `{"messages": ${CANARY}`, 400, 'invalid_json'],
    ['a list', '/responses', `["${CANARY}"]`, 400, 'invalid_json'],
    ['no messages', '/chat/completions', { text: CANARY }, 400, 'missing_messages'],
    ['a strange role', '/chat/completions', { messages: [{ role: CANARY }] }, 400, 'invalid_message'],
    [
      'a strange part',
      '/chat/completions',
      { messages: [{ role: 'user', content: [CANARY] }] },
      400,
      'invalid_message',
    ],
    ['no input', '/responses', { input: null, x: CANARY }, 400, 'missing_input'],
    ['a strange item', '/responses', { input: [{ type: CANARY }] }, 400, 'invalid_item'],
    [
      'an earlier response',
      '/responses',
      { input: 'x', previous_response_id: CANARY },
      400,
      'previous_response_not_found',
    ],
    ['no prompt', '/completions', { prompt: [CANARY] }, 400, 'missing_prompt'],
    ['another address', `/chat?x=${CANARY}`, { messages: [] }, 404, 'unknown_url'],
    ['an odd address', '//', { messages: [] }, 404, 'unknown_url'],
    ['another method', '/models', { text: CANARY }, 405, 'method_not_allowed'],
  ])('with %s gets an error that does not repeat it', async (_, path, body, status, code) => {
    await using server = await startModelServer([])
    const response = await post(server.url + path, typeof body === 'string' ? body : JSON.stringify(body))
    const text = await response.text()
    expect(response.status).toBe(status)
    expect(JSON.parse(text)).toMatchObject({ error: { code, type: 'invalid_request_error' } })
    expect(text).not.toContain(CANARY)
  })

  it('has at most 32 MiB', async () => {
    await using server = await startModelServer([{ content: 'fits' }])
    const around = JSON.stringify({ prompt: '' }).length
    const largest = JSON.stringify({ prompt: 'x'.repeat(MAX_BODY_BYTES - around) })
    expect((await post(`${server.url}/completions`, largest)).status).toBe(200)
    const response = await post(`${server.url}/completions`, `${largest} `)
    expect(response.status).toBe(413)
    expect(await response.json()).toMatchObject({ error: { code: 'request_too_large' } })
  })

  it('that makes the model throw gets an error without a word of what was thrown', async () => {
    await using server = await startModelServer(() => {
      throw new Error(CANARY)
    })
    const response = await post(`${server.url}/completions`, JSON.stringify(PROMPT))
    expect(response.status).toBe(500)
    expect(await response.json()).toEqual({
      error: { message: 'The model failed.', type: 'server_error', param: null, code: null },
    })
  })
})

describe('the server', () => {
  it('answers many at a time, each with its own answer', async () => {
    await using server = await startModelServer(({ messages }) => ({
      content: `to ${String(messages[0]?.content)}`,
    }))
    const client = new OpenAI({ apiKey: 'none', baseURL: server.url, maxRetries: 0 })
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const chunks = await all(
          await client.completions.create({ ...PROMPT, prompt: `${index}`, stream: true }),
        )
        return chunks.map(({ choices }) => choices[0]?.text).join('')
      }),
    )
    expect(answers).toEqual(answers.map((__, index) => `to ${index}`))
  })

  it('tells the model that the client has gone', async () => {
    const { opened, open } = gate()
    await using server = await startModelServer(async ({ signal }) => {
      signal.addEventListener('abort', open)
      await opened
      return { content: 'too late' }
    })
    const client = new OpenAI({ apiKey: 'none', baseURL: server.url, maxRetries: 0 })
    const abort = new AbortController()
    const reply = client.chat.completions.create(ASKED, { signal: abort.signal })
    const failed = expect(reply).rejects.toThrow(APIUserAbortError)
    await server.received(1)
    abort.abort()
    await failed
    await opened
    expect(await server.requests[0]?.aborted).toBe(true)
  })

  it('sends a piece at once, and no more of them when the client has gone', async () => {
    // the second piece would come after a day
    const listener = modelListener(() => ({ content: 'one two' }), { pauseMs: 86_400_000 })
    const { opened, open } = gate()
    let finished: boolean | undefined
    await using server = await startServer((request, response) => {
      response.once('close', () => {
        finished = response.writableFinished
        open()
      })
      listener(request, response)
    })
    const client = new OpenAI({ apiKey: 'none', baseURL: server.url, maxRetries: 0 })
    const stream = await client.completions.create({ ...PROMPT, stream: true })
    const first = await stream[Symbol.asyncIterator]().next()
    expect(first.value?.choices[0]?.text).toBe('one ')
    stream.controller.abort()
    await opened
    expect(finished).toBe(false)
  })

  it('waits for a client that reads slowly', async () => {
    await using server = await startModelServer([{ content: 'word '.repeat(100_000) }])
    const response = await post(`${server.url}/completions`, JSON.stringify({ ...PROMPT, stream: true }))
    const reader = response.body!.getReader()
    await reader.read()
    await reader.cancel()
    // all of it written would have been an answer that ended
    expect(await server.requests[0]?.aborted).toBe(true)
  })

  it('ends what is open when it closes, and is gone', async () => {
    const server = await startModelServer([{ content: 'never' }])
    server.next({ kind: 'hang', after: 0 })
    const reply = post(`${server.url}/completions`, JSON.stringify(PROMPT))
    const failed = expect(reply).rejects.toThrow('fetch failed')
    await server.received(1)
    await server.close()
    await failed
    await expect(fetch(`${server.url}/models`)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
  })
})

describe('a fault of the test server', () => {
  const unbroken = { texts: ['one ', 'two ', 'three', ''], reasons: ['stop'] }
  const faults: [Fault, whole: object, streamed: object][] = [
    [{ kind: 'status', status: 429, headers: { 'retry-after': '7' } }, { status: 429 }, { status: 429 }],
    [{ kind: 'status', status: 500, error: { code: 'down' } }, { code: 'down' }, { code: 'down' }],
    [
      { kind: 'cut', after: 2 },
      { message: 'terminated' },
      { message: 'terminated', texts: ['one ', 'two '] },
    ],
    [{ kind: 'cut', after: 0 }, { message: 'terminated' }, { message: 'terminated', texts: [] }],
    [{ kind: 'end', after: 1 }, { name: 'SyntaxError' }, { texts: ['one '], reasons: [] }],
    [{ kind: 'error-event', after: 1 }, { texts: [] }, { message: 'A fault of the test.', texts: ['one '] }],
    [{ kind: 'not-json' }, { name: 'SyntaxError' }, { name: 'SyntaxError', texts: [] }],
    [{ kind: 'no-finish-reason' }, { texts: ['one two three'], reasons: [] }, { ...unbroken, reasons: [] }],
    [{ kind: 'no-choices' }, { texts: [], reasons: [] }, { texts: [], reasons: [] }],
  ]
  it.each(faults)('comes once, as a client sees it: %j', async (fault, whole, streamed) => {
    await using server = await startModelServer(() => ({ content: 'one two three' }))
    server.next(undefined, fault, fault)
    expect(await outcomeOf(server, { stream: true })).toEqual(unbroken)
    expect(await outcomeOf(server, { stream: true })).toMatchObject(streamed)
    expect(await outcomeOf(server, { stream: false })).toMatchObject(whole)
    expect(await outcomeOf(server, { stream: false })).toEqual({ ...unbroken, texts: ['one two three'] })
    expect(server.requests.map(({ path, body }) => [path, body])).toEqual(
      [true, true, false, false].map((stream) => ['/v1/completions', { ...PROMPT, stream }]),
    )
    expect(await Promise.all(server.requests.map(({ aborted }) => aborted))).toEqual([
      false,
      false,
      false,
      false,
    ])
  })

  it('leaves a reply hanging, and sees the client leave', async () => {
    await using server = await startModelServer(() => ({ content: 'one two three' }))
    const client = new OpenAI({ apiKey: 'none', baseURL: server.url, maxRetries: 0 })
    server.next({ kind: 'hang', after: 2 })
    const texts: (string | undefined)[] = []
    const stream = await client.completions.create({ ...PROMPT, stream: true })
    for await (const { choices } of stream) {
      texts.push(choices[0]?.text)
      if (texts.length === 2) stream.controller.abort()
    }
    expect(texts).toEqual(['one ', 'two '])
    expect(await server.requests[0]?.aborted).toBe(true)
  })

  it('takes the role or the last event out of a stream', async () => {
    await using server = await startModelServer(() => ({ content: 'one' }))
    const client = new OpenAI({ apiKey: 'none', baseURL: server.url, maxRetries: 0 })
    server.next({ kind: 'no-role' }, { kind: 'no-finish-reason' })
    const chunks = await all(await client.chat.completions.create({ ...ASKED, stream: true }))
    expect(chunks.map(({ choices }) => choices[0]?.delta)).toEqual([{ content: '' }, { content: 'one' }, {}])
    const events = await all(await client.responses.create({ ...INPUT, stream: true }))
    expect(events.at(-1)?.type).toBe('response.output_item.done')
  })

  it('takes no answer from the script when it is a status', async () => {
    await using server = await startModelServer([{ content: 'one' }, { content: 'two' }])
    server.next({ kind: 'status', status: 503 })
    expect(await outcomeOf(server, { stream: false })).toMatchObject({ status: 503 })
    expect(await outcomeOf(server, { stream: false })).toMatchObject({ texts: ['one'] })
    expect(await outcomeOf(server, { stream: false })).toMatchObject({ texts: ['two'] })
    expect(await outcomeOf(server, { stream: false })).toMatchObject({ status: 500 })
  })
})

/** What the person says, oldest first, and the whole reply to the last of it. */
const CONVERSATIONS: [said: string[], reply: string][] = [
  [['My name is Ada.'], 'Noted: your name is Ada.'],
  [["Hi! I'm Ada and I live in Oslo."], `Noted: your name is Ada, and you live in Oslo. ${greeting()}`],
  [
    ['i’m from Norway, and my cat is called Minou'],
    'Noted: you are from Norway, and your cat is called Minou.',
  ],
  [["I'm Norwegian and I'm 36"], 'Noted: you are Norwegian, and you are 36.'],
  [['I love my bike. I work as a baker.'], 'Noted: you love your bike, and you work as a baker.'],
  [['my name is Ada', 'what is my name?'], 'Your name is Ada.'],
  [["I'm Ada Lovelace", 'Who am I?'], 'Your name is Ada Lovelace.'],
  [['my name is Ada', 'Actually, call me Bob', "what's my name"], 'Your name is Bob.'],
  [['I live in Oslo', 'I moved from Oslo to Lyon', 'Where do I live?'], 'You moved from Oslo to Lyon.'],
  [["I'm from Oslo", 'where am I from?'], 'You are from Oslo.'],
  [['My favorite color is green', 'Do you remember my favourite colour?'], 'Your favorite color is green.'],
  [['Remember that my locker code is 4711', 'what is my locker code'], 'Your locker code is 4711.'],
  [['my cat is called Minou', 'my cat is grey', "what's my cat's name?"], 'Your cat is called Minou.'],
  [['I have a cat called Minou', 'What is my cat called?'], 'You have a cat called Minou.'],
  [['I love tea', 'I like jazz', "I don't like rain", 'What do I like?'], 'You like jazz. You love tea.'],
  [['I like tea', "I don't like tea", 'what do you know about me?'], "You told me: you don't like tea."],
  [['I work as a baker', 'what do I do?'], 'You work as a baker.'],
  [
    ['My name is Ada.\nI live in Oslo.\n\nBye', 'Where do I live? And who am I?'],
    'You live in Oslo. Your name is Ada.',
  ],
  [['I live in Oslo', 'I like tea', 'What have I told you?'], 'You told me: you live in Oslo; you like tea.'],
  [
    ['I like Oslo. It rains.', 'What did I say about Oslo?', 'Oslo is cold!', 'What did I say about Oslo?'],
    'You said, newest first: “Oslo is cold!” “I like Oslo.”',
  ],
  [
    ['Tea 1. Tea 2.', 'Tea 3', 'Tea 4', 'What did I say about tea?'],
    'You said, newest first: “Tea 4” “Tea 3” “Tea 2.”',
  ],
  [['I have two cats', 'What did I say about my cat?'], 'You said: “I have two cats”'],
  [['我住在奥斯陆。', 'What did I say about 奥斯陆?'], 'You said: “我住在奥斯陆。”'],
  [
    ['Is tea good?', 'How many messages do you see?'],
    'I was sent 3 messages, 2 of them from you, this one included.',
  ],
  [
    ['One two', 'b', 'What was the first thing I said?'],
    'The oldest message of yours that I was sent is “One two”',
  ],
  [
    ['Just writing some documentation!'],
    'I have read that. Ask me later what you said about “documentation”, and I look it up in the messages that I am sent.',
  ],
  [['Hello'], greeting()],
  [['Thanks!'], 'You are welcome.'],
  [['Bye'], 'Goodbye!'],
  [[''], 'I have read that.'],
]

describe('the built-in model', () => {
  const forms = [
    { form: 'messages', ask: askInMessages },
    { form: "LangChain's template", ask: askInTemplate },
  ]

  describe.each(forms)('asked in $form', ({ ask }) => {
    it.each(CONVERSATIONS)('answers %j', (said, reply) => expect(ask(said)).toBe(reply))

    it.each([
      ['what is my name?', 'what your name is'],
      ['Where do I live?', 'where you live'],
      ['what is my cat called?', 'what your cat is called'],
      ['What did I say about Oslo?', 'what you said about “Oslo”'],
      ['What do you remember?', 'anything about you'],
      ['What do I like?', 'that'],
      ['Do I like tea?', 'that'],
      ['What is the capital of Norway?', 'that'],
    ])('says that nothing it was sent answers %j', (question, what) => {
      expect(ask([question])).toBe(`Nothing in the one message that I was sent tells me ${what}.`)
      expect(ask(['Nice weather.', question])).toBe(
        `Nothing in the 3 messages that I was sent tells me ${what}.`,
      )
    })

    it('believes the person alone, never what the model said', () => {
      const said = ['Guess my name', 'What is my name?']
      expect(ask(said, 'Your name is Eve. My name is Eve, I am Eve, call me Eve.')).toBe(
        'Nothing in the 3 messages that I was sent tells me what your name is.',
      )
    })

    it('says what it is, and that it is no language model', () => {
      for (const question of ['Who are you?', 'Are you an AI?', 'What can you do?', 'Hi there'])
        expect(ask([question]), question).toMatch(/small (local )?program, not a language model/)
    })
  })

  it('takes nothing from what the host tells it', () => {
    const system: Message = { role: 'system', content: 'My name is Eve. I live in Rome.' }
    expect(ownAnswer([system, { role: 'user', content: 'What is my name?' }])).toBe(
      'Nothing in the one message that I was sent tells me what your name is.',
    )
  })

  it('reads the text among the parts of a content, and leaves the rest', () => {
    const parts: Message[] = [
      {
        role: 'user',
        content: [
          { type: 'image_url', image_url: { url: 'data:,my name is Eve' } },
          { type: 'text', text: 'My name is Ada.' },
        ],
      },
      { role: 'assistant', content: null, tool_calls: [FUNCTION] },
      { role: 'tool', tool_call_id: 'call_1', content: 'My name is Eve.' },
      { role: 'user', content: 'What is my name?' },
    ]
    expect(ownAnswer(parts)).toBe('Your name is Ada.')
  })

  it('answers over HTTP what it answers in person, and calls no tool', async () => {
    await using server = await startServer(modelListener(answerFromMessages))
    const client = new OpenAI({ apiKey: 'none', baseURL: server.url, maxRetries: 0 })
    const messages = messagesOf(['My name is Ada.', 'What is my name?'])
    const tools = [{ type: 'function' as const, function: { name: 'weather' } }]
    const answer = await client.chat.completions.create({ model: LOCAL_MODEL, messages, tools } as never)
    expect(answer.choices).toMatchObject([
      { finish_reason: 'stop', message: { content: 'Your name is Ada.' } },
    ])
  })

  it('answers whatever the text, a million characters of it as well', async () => {
    // in a process of its own: an expression that goes back and forth would never end, and nothing here could stop it
    const { stdout } = await run(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', HOSTILE],
      {
        cwd: ROOT,
        timeout: 50_000,
      },
    )
    const { answers, longest } = JSON.parse(stdout)
    expect(answers).toBe(12)
    expect(longest).toBeGreaterThan(10)
    expect(longest).toBeLessThan(1000)
  })
})

const HOSTILE = `
  import { answerFromMessages } from './src/local-model/answer.ts'
  const units = [' ', '!', 'a, ', 'I moved from a ', 'i say ', '\\ud800']
  const ask = (...contents) =>
    answerFromMessages({ messages: contents.map((content) => ({ role: 'user', content })) }).content
  const answers = units.flatMap((unit) => {
    const text = unit.repeat(1e6 / unit.length)
    return [ask(text, 'What did I say about a?'), ask('Human: ' + text + '\\nHuman: What is my ' + text + '?\\nAI:')]
  })
  console.log(JSON.stringify({ answers: answers.length, longest: Math.max(...answers.map(({ length }) => length)) }))
`

const run = promisify(execFile)

function greeting(): string {
  return 'Hello! I am a small local program, not a language model. Tell me something about yourself and ask me for it later: I answer only from the messages that I am sent.'
}

/** A conversation in which the model has answered all but the last. */
function messagesOf(said: readonly string[], answer = 'Fine.'): Message[] {
  return said.flatMap((content, index): Message[] => [
    ...(index > 0 ? [{ role: 'assistant' as const, content: answer }] : []),
    { role: 'user', content },
  ])
}

function askInMessages(said: readonly string[], answer?: string): string | undefined {
  return ownAnswer(messagesOf(said, answer))
}

function askInTemplate(said: readonly string[], answer?: string): string | undefined {
  const lines = messagesOf(said, answer).map(
    ({ role, content }) => `${role === 'user' ? 'Human' : 'AI'}: ${String(content)}`,
  )
  const before =
    'The following is a friendly conversation between a human and an AI.\n\nCurrent conversation:\n'
  return ownAnswer([{ role: 'user', content: `${before}${lines.join('\n')}\nAI:` }])
}

function ownAnswer(messages: readonly Message[]): string | undefined {
  return answerFromMessages({ api: 'chat', messages, body: {}, signal: new AbortController().signal }).content
}

function post(url: string, body: string): Promise<Response> {
  return fetch(url, { method: 'POST', body })
}

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of stream) items.push(item)
  return items
}

/** What a client sees of one text completion: the pieces that came, why it ended, and the error. */
async function outcomeOf(server: ModelServer, { stream }: { stream: boolean }): Promise<object> {
  const client = new OpenAI({ apiKey: 'none', baseURL: server.url, maxRetries: 0, logLevel: 'off' })
  const texts: string[] = []
  const reasons: string[] = []
  const take = ({ choices = [] }: OpenAI.Completion) => {
    texts.push(...choices.map(({ text }) => text))
    reasons.push(...choices.map((choice) => choice.finish_reason).filter(Boolean))
  }
  try {
    const reply = await client.completions.create({ ...PROMPT, stream })
    if ('choices' in reply || 'error' in reply) take(reply as OpenAI.Completion)
    else for await (const chunk of reply) take(chunk)
    return { texts, reasons }
  } catch (error) {
    const { name, message, status, code } = error as APIError
    return { texts, reasons, name, message, status, code }
  }
}

interface CallDelta {
  readonly index: number
  readonly id?: string
  readonly type?: string
  readonly function?: { readonly name?: string; readonly arguments?: string }
  readonly custom?: { readonly name?: string; readonly input?: string }
}

/** A call put together from its pieces. */
function joinedCall(deltas: readonly CallDelta[], index: number): object {
  const [first, ...rest] = deltas.filter((delta) => delta.index === index)
  const argumentPieces = rest.map((delta) => delta.function?.arguments ?? '').join('')
  const inputPieces = rest.map((delta) => delta.custom?.input ?? '').join('')
  return first?.type === 'function'
    ? { id: first.id, type: first.type, function: { ...first.function, arguments: argumentPieces } }
    : { id: first?.id, type: first?.type, custom: { ...first?.custom, input: inputPieces } }
}

/** A list with what repeats at one place said once. */
function runs(list: readonly string[]): string[] {
  return list.filter((item, index) => item !== list[index - 1])
}
