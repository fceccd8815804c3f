import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text as allOf } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { ConversationStore, Message, StoredTurn } from '../src/index.ts'
import { exportLines, listForExport } from '../src/transfer/export.ts'
import { writeWhole } from '../src/transfer/files.ts'
import { importConversations, type ImportOptions } from '../src/transfer/import.ts'
import type { RecordedConversation } from '../src/transfer/recorded.ts'
import { readConversations } from '../src/transfer/records.ts'
import { splitIntoTurns } from '../src/transfer/turns.ts'
import { readValues } from '../src/transfer/values.ts'
import { runCli, runHere, startCli } from './support/cli.ts'
import { onEachDatabase } from './support/databases.ts'
import { hostileText, hostileTurn, randomFrom, type Random } from './support/texts.ts'

const folder = mkdtempSync(join(tmpdir(), 'backscroll-transfer-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Text that must appear in no error. */
const CANARY = 'canary-91d2'

const DEFAULTS = { userId: 'me', sourceName: 'source' }

/** A file in chunks: the whole, or of a size that `next` gives. */
async function* chunked(content: string | Buffer, next = () => Infinity): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(content)
  for (let start = 0; start < bytes.length;) {
    const end = Math.min(bytes.length, start + next())
    yield bytes.subarray(start, end)
    start = end
  }
}

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const value of values) all.push(value)
  return all
}

async function valuesOf(content: string | Buffer, next?: () => number): Promise<unknown[]> {
  return (await collect(readValues(chunked(content, next)))).map(({ value }) => value)
}

function recordsOf(content: string | Buffer): Promise<RecordedConversation[]> {
  return collect(readConversations(chunked(content), DEFAULTS))
}

/** Records as the lines of a file. */
function jsonLines(records: readonly unknown[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join('')
}

/** What a call fails with; fails the test when it does not. Nothing of it may show what the file holds. */
async function failureOf(call: () => Promise<unknown>): Promise<{ code: unknown; message: string }> {
  const error: unknown = await call().then(
    () => expect.unreachable('It did not fail.'),
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(Error)
  expect(`${inspect(error, { showHidden: true, depth: 9 })}${JSON.stringify(error)}`).not.toContain(CANARY)
  return error as { code: unknown; message: string } & Error
}

const user = (content: string): Message => ({ role: 'user', content })
const assistant = (content: string): Message => ({ role: 'assistant', content })
const call = (...ids: string[]): Message => ({
  role: 'assistant',
  content: null,
  tool_calls: ids.map((id) => ({ id, type: 'function', function: { name: 'look_up', arguments: '{}' } })),
})
const result = (id: string): Message => ({ role: 'tool', tool_call_id: id, content: 'found' })

describe('reading a file', () => {
  it('gives the elements of an array as JSON.parse does, whatever chunks it comes in', async () => {
    const random = randomFrom(20_261_122)
    for (let round = 0; round < 400; round++) {
      const array = Array.from({ length: random.below(6) }, () => randomJson(random, 4))
      const text = `${random.pick(['', '\ufeff', ' \r\n\t'])}${JSON.stringify(array, null, random.pick([0, 0, 1, 2]))}\n`
      expect(await valuesOf(text, () => 1 + random.below(random.pick([1, 3, 40])))).toEqual(array)
    }
  })

  it('gives the values of lines as JSON.parse does, whatever chunks they come in', async () => {
    const random = randomFrom(77)
    for (let round = 0; round < 200; round++) {
      const lines = Array.from({ length: 1 + random.below(6) }, () => ({ value: randomJson(random, 3) }))
      const text = lines
        .map((line) => JSON.stringify(line))
        .join(random.pick(['\n', '\r\n', '\n\n', ' \n\t\n']))
      const withMark = `${random.pick(['', '\ufeff', '\n', '\ufeff\r\n'])}${text}${random.pick(['', '\n'])}`
      expect(await valuesOf(withMark, () => 1 + random.below(random.pick([1, 3, 40])))).toEqual(lines)
    }
  })

  it('numbers lines as an editor does, and says how many bytes are read', async () => {
    const text = '\n{"a":"\u2028"}\r\n\r\n{"b":1}'
    const values = await collect(readValues(chunked(text)))
    expect(values).toEqual([
      { place: { unit: 'Line', number: 2 }, value: { a: '\u2028' }, bytes: 14 },
      { place: { unit: 'Line', number: 4 }, value: { b: 1 }, bytes: 23 },
    ])
    expect(Buffer.byteLength(text)).toBe(23)
  })

  it.each([
    ['', 'an empty file'],
    [' \r\n\n\t', 'a blank file'],
    ['\ufeff', 'a byte order mark'],
    [' [ \n ] \n', 'an empty array'],
  ])('finds nothing in %j, %s', async (text) => {
    expect(await valuesOf(text)).toEqual([])
  })

  it.each([
    [
      'cut off between elements',
      `[{"a":"${CANARY}"}`,
      'Element 1: the file ends in the middle of its array.',
    ],
    ['cut off behind a comma', `[{"a":"${CANARY}"},`, 'Element 2: the file ends in the middle of its array.'],
    ['cut off in a string', `[1,{"a":"${CANARY}]`, 'Element 2: the file ends in the middle of its array.'],
    ['with a comma too many', `[1,"${CANARY}",]`, 'Element 3: not JSON in UTF-8.'],
    ['with a blank element', `["${CANARY}", ,1]`, 'Element 2: not JSON in UTF-8.'],
    ['closed by a brace', `["${CANARY}"}]`, 'Element 1: not JSON in UTF-8.'],
    ['with brackets that do not match', `[["${CANARY}"},1]]`, 'Element 1: not JSON in UTF-8.'],
    ['that goes on', `[1,2] {"${CANARY}":1}`, 'Element 3: the file goes on behind its array.'],
    ['behind which another stands', `[1][2,"${CANARY}"]`, 'Element 2: the file goes on behind its array.'],
  ])('refuses an array %s', async (_, text, message) => {
    for (const size of [1, 7, 1000]) {
      const error = await failureOf(() => valuesOf(text, () => size))
      expect(error).toMatchObject({ code: 'BAD_RECORD', message: expect.stringContaining(message) })
    }
  })

  it.each(['Line', 'Element'])(
    'is given one record of 50,000 at a time, each read when it is wanted: by %s',
    async (unit) => {
      const record = JSON.stringify({ messages: [user('Where is my order?'), assistant('On its way.')] })
      const [open, between, close] = unit === 'Line' ? ['', '\n', '\n'] : ['[', ',\n', ']']
      let pulled = 0
      async function* chunks() {
        yield Buffer.from(open)
        for (; pulled < 50_000;) yield Buffer.from(`${record}${++pulled < 50_000 ? between : close}`)
      }
      let read = 0
      for await (const { place, turns } of readConversations(chunks(), DEFAULTS)) {
        const isInStep = place.number === ++read && turns.length === 1 && pulled - read <= 1
        if (!isInStep)
          expect.unreachable(`Record ${place.number} is given ${read}th, when ${pulled} are read.`)
      }
      expect(read).toBe(50_000)
    },
  )

  it('stops reading when no more is wanted', async () => {
    let closed = false
    async function* chunks() {
      try {
        for (;;) yield Buffer.from(jsonLines([{ messages: [user('hi')] }]))
      } finally {
        closed = true
      }
    }
    for await (const { place } of readConversations(chunks(), DEFAULTS)) if (place.number === 3) break
    expect(closed).toBe(true)
  })
})

/** Strings full of what would mislead who counts brackets. */
function randomJson(random: Random, depth: number): unknown {
  const string = () =>
    Array.from({ length: random.below(8) }, () =>
      random.pick([
        '"',
        '\\',
        '[',
        ']',
        '{',
        '}',
        ',',
        '\\"',
        '\n',
        '\u2028',
        '\ud800',
        '\0',
        'é',
        '東',
        '😀',
        'x',
      ]),
    ).join('')
  switch (depth === 0 ? random.below(4) : random.below(6)) {
    case 0:
      return random.pick([null, true, false])
    case 1:
      return random.below(1000) / 8
    case 2:
    case 3:
      return string()
    case 4:
      return Array.from({ length: random.below(4) }, () => randomJson(random, depth - 1))
    default:
      return Object.fromEntries(
        Array.from({ length: random.below(4) }, () => [string(), randomJson(random, depth - 1)]),
      )
  }
}

describe('a turn', () => {
  const lengths = (...messages: Message[]) => splitIntoTurns(messages).map((turn) => turn.length)

  it('begins at each message of the user; what stands before the first belongs to it', () => {
    expect(lengths(assistant('Welcome!'), user('a'), assistant('b'), user('c'), user('d'))).toEqual([3, 1, 1])
    expect(lengths({ role: 'system', content: 's' }, assistant('no user'))).toEqual([2])
  })

  it('is not cut between a call and its result, even where the user speaks in between', () => {
    expect(lengths(user('a'), call('1', '2'), user('wait'), result('1'), user('and?'), result('2'))).toEqual([
      6,
    ])
    expect(lengths(user('a'), call('1'), user('wait'), result('1'), assistant('b'), user('c'))).toEqual([
      5, 1,
    ])
  })

  it('is cut after a call that has no result, and where ids come again', () => {
    expect(lengths(user('a'), call('1'), user('b'), assistant('c'))).toEqual([2, 2])
    expect(lengths(user('a'), call('1'), result('1'), user('b'), call('1'), result('1'))).toEqual([3, 3])
    expect(lengths(user('a'), call('1'), user('b'), call('1'), result('1'))).toEqual([2, 3])
  })

  it('is found in messages that are in no form at all', () => {
    const odd = [null, 'x', { role: 'assistant', tool_calls: [null, 1] }, { role: 'tool' }, { role: 'user' }]
    expect(lengths(...(odd as unknown as Message[]))).toEqual([5])
  })
})

describe('a record', () => {
  it.each([
    ['no JSON', `{"${CANARY}`, 'not JSON in UTF-8'],
    ['no UTF-8', Buffer.from(`{"${CANARY}": "\xff"}`, 'latin1'), 'not JSON in UTF-8'],
    ['no object', `"${CANARY}"`, 'not an object'],
    ['null', 'null', 'not an object'],
    ['without messages', { conversation_id: CANARY }, 'messages must be an array'],
    ['with no message', { messages: [] }, 'messages must be an array of at least one'],
    ['of a user that is no text', { user_id: 5, messages: [user(CANARY)] }, 'user_id must be a string'],
    [
      'of no conversation',
      { conversation_id: {}, messages: [user(CANARY)] },
      'conversation_id must be a string',
    ],
    ['at no position', { position: '1', messages: [user(CANARY)] }, 'position must be a whole number'],
    ['at position 0', { position: 0, messages: [user(CANARY)] }, 'position must be a whole number'],
    ['of one turn, with no message', { position: 1, messages: CANARY }, 'messages must be an array'],
    [
      'with metadata that is a text',
      { position: 1, messages: [user('a')], metadata: CANARY },
      'metadata must be',
    ],
    [
      'with a list about its conversation',
      { position: 1, messages: [user('a')], conversation_metadata: [CANARY] },
      'conversation_metadata must be an object',
    ],
    [
      'with a time that is none',
      { position: 1, messages: [user(CANARY)], created_at: 5 },
      'created_at must be a',
    ],
    ['with fewer times than messages', { messages: [user(CANARY)], times: [] }, 'times must be an array'],
    ['with more times', { messages: [user(CANARY)], times: [null, null] }, 'times must be an array'],
    ['with a time for all', { messages: [user('a')], times: CANARY }, 'times must be an array'],
    ['with a time that is a number', { messages: [user(CANARY)], times: [5] }, 'times must be an array'],
    [
      'with a text about its messages',
      { messages: [user('a')], conversation_metadata: CANARY },
      'conversation_metadata must be an object',
    ],
    ['without a tree', { title: CANARY, mapping: null }, 'mapping must be an object'],
    [
      'with a title for an id',
      { conversation_id: [CANARY], mapping: {} },
      'conversation_id must be a string',
    ],
  ])(
    'that is %s stops the reading with its number and the reason, never with what it holds',
    async (_, line, reason) => {
      const bad =
        line instanceof Buffer || typeof line === 'string'
          ? Buffer.from(line)
          : Buffer.from(jsonLines([line]))
      const file = Buffer.concat([
        Buffer.from(jsonLines([{ messages: [user('good')] }])),
        Buffer.from('\n'),
        bad,
      ])
      const read: number[] = []
      const error = await failureOf(async () => {
        for await (const { place } of readConversations(chunked(file), DEFAULTS)) read.push(place.number)
      })
      expect(read).toEqual([1])
      expect(error.code).toBe('BAD_RECORD')
      expect(error.message).toMatch(/^Line 3: /)
      expect(error.message).toContain(reason)
    },
  )

  it('gives a turn the time of its first message that has one, and the conversation its metadata', async () => {
    const [timed, untimed] = await recordsOf(
      jsonLines([
        {
          messages: [assistant('Welcome!'), user('a'), assistant('b'), user('c'), assistant('d'), user('e')],
          times: [null, '2026-01-02T03:04:05Z', null, '2026-02-03 04:05', '2026-02-03 04:06', null],
          conversation_metadata: { title: 'Seats' },
        },
        { messages: [user('a')], times: null },
      ]),
    )
    expect(timed?.turns).toEqual([
      {
        number: 1,
        messages: [assistant('Welcome!'), user('a'), assistant('b')],
        metadata: { created_at: '2026-01-02T03:04:05Z' },
      },
      {
        number: 2,
        messages: [user('c'), assistant('d')],
        metadata: { created_at: '2026-02-03 04:05' },
      },
      { number: 3, messages: [user('e')], metadata: undefined },
    ])
    expect(timed?.metadata).toEqual({ title: 'Seats' })
    expect(untimed?.turns).toEqual([{ number: 1, messages: [user('a')], metadata: undefined }])
  })

  it('takes from its caller what it does not say', async () => {
    const file = jsonLines([
      { messages: [user('a')] },
      { user_id: null, conversation_id: 'own', messages: [user('b')] },
      { user_id: 'ada', position: 4, messages: [user('c')] },
    ])
    const of = async (conversationId?: string) =>
      (await collect(readConversations(chunked(file), { ...DEFAULTS, conversationId }))).map((record) => [
        record.userId,
        record.conversationId,
      ])
    expect(await of()).toEqual([
      ['me', 'source:1'],
      ['me', 'own'],
      ['ada', 'source:3'],
    ])
    expect(await of('given')).toEqual([
      ['me', 'given'],
      ['me', 'own'],
      ['ada', 'given'],
    ])
  })
})

/** A message of ChatGPT, in the form of its export. */
function said(role: string, text: string, more: object = {}): object {
  return {
    author: { role },
    content: { content_type: 'text', parts: [text] },
    weight: 1,
    recipient: 'all',
    ...more,
  }
}

/** An exported conversation of ChatGPT: the nodes as `id: [parent, message]`. */
function chatGpt(
  nodes: Record<string, [parent: string | null, message: object | null]>,
  more: object = {},
): object {
  const mapping = Object.entries(nodes).map(([id, [parent, message]]) => [
    id,
    { id, message, parent, children: [] },
  ])
  return {
    title: 'Seats',
    create_time: 1_700_000_000.25,
    mapping: Object.fromEntries(mapping),
    conversation_id: 'c-1',
    current_node: Object.keys(nodes).at(-1),
    ...more,
  }
}

/** The same with one branch. */
function chain(...messages: (object | null)[]): object {
  const entries = [null, ...messages].map((message, index) => [
    `n${index}`,
    [index === 0 ? null : `n${index - 1}`, message],
  ])
  return chatGpt(Object.fromEntries(entries))
}

async function chatGptRecord(conversation: object): Promise<RecordedConversation> {
  const [record] = await recordsOf(JSON.stringify([conversation]))
  return record!
}

async function messagesOf(conversation: object): Promise<(readonly Message[])[]> {
  return (await chatGptRecord(conversation)).turns.map(({ messages }) => messages)
}

describe("ChatGPT's export", () => {
  const python = (code: string, more: object = {}) => ({
    author: { role: 'assistant' },
    recipient: 'python',
    content: { content_type: 'code', language: 'unknown', text: code },
    ...more,
  })
  const output = (text: string, more: object = {}) => ({
    author: { role: 'tool', name: 'python' },
    content: { content_type: 'execution_output', text },
    ...more,
  })

  it('keeps title, times and id; the times of turns are those of what the user said', async () => {
    const first = said('user', 'A seat?', { create_time: 1_700_000_001.5 })
    const second = said('user', 'Thanks', { create_time: null })
    const record = await chatGptRecord(
      chain(first, said('assistant', '12C'), second, said('assistant', 'Bye')),
    )
    expect(record).toMatchObject({
      userId: 'me',
      conversationId: 'c-1',
      isNamed: true,
      numberedBy: 'order',
      metadata: { title: 'Seats', created_at: '2023-11-14T22:13:20.250Z', source: 'chatgpt' },
      leftOut: [],
    })
    expect(record.turns).toEqual([
      {
        number: 1,
        messages: [user('A seat?'), assistant('12C')],
        metadata: { created_at: '2023-11-14T22:13:21.500Z' },
      },
      { number: 2, messages: [user('Thanks'), assistant('Bye')], metadata: undefined },
    ])
  })

  it('does without what older and newer exports leave out', async () => {
    const { conversation_id: id, ...others } = chain(said('user', 'hi')) as Record<string, unknown>
    const record = await chatGptRecord({ ...others, id, title: null, create_time: 9e99 })
    expect(record).toMatchObject({ conversationId: 'c-1', metadata: { source: 'chatgpt' } })
    expect(record.metadata).not.toHaveProperty('title')
    const bare = {
      mapping: {
        a: { message: { author: { role: 'user' }, content: { content_type: 'text', parts: ['x'] } } },
      },
    }
    expect(await messagesOf(bare)).toEqual([[user('x')]])
    expect((await chatGptRecord(bare)).conversationId).toBe('source:1')
  })

  it('follows the branch that was seen last, not the edited or regenerated ones', async () => {
    const nodes = {
      root: [null, null],
      a: ['root', said('user', 'first draft', { create_time: 1 })],
      b: ['a', said('assistant', 'to the draft', { create_time: 2 })],
      c: ['root', said('user', 'edited', { create_time: 3 })],
      d: ['c', said('assistant', 'seen', { create_time: 4 })],
      e: ['c', said('assistant', 'made anew', { create_time: 5 })],
    } as const
    const seen = chatGpt(nodes as never, { current_node: 'd' })
    expect(await messagesOf(seen)).toEqual([[user('edited'), assistant('seen')]])
    // Without a current message, or with one that is not there, the newest end of a branch is.
    for (const current_node of [undefined, null, 'gone', 7]) {
      const newest = chatGpt(nodes as never, { current_node })
      expect(await messagesOf(newest)).toEqual([[user('edited'), assistant('made anew')]])
    }
    const untimed = { b: ['a', said('assistant', 'b')], a: [null, said('user', 'a')] } as const
    const end = chatGpt(untimed as never, { current_node: undefined })
    expect(await messagesOf(end)).toEqual([[user('a'), assistant('b')]])
  })

  it('begins where a parent is missing, and refuses a circle instead of walking it for ever', async () => {
    expect(
      await messagesOf(chatGpt({ a: ['gone', said('user', 'a')], b: ['a', said('assistant', 'b')] })),
    ).toEqual([[user('a'), assistant('b')]])
    const circle = { a: ['b', said('user', CANARY)], b: ['a', said('assistant', CANARY)] } as const
    for (const current_node of ['a', undefined]) {
      const error = await failureOf(() => chatGptRecord(chatGpt(circle as never, { current_node })))
      expect(error.message).toContain('Element 1: its messages follow each other in a circle.')
    }
  })

  it('gives no turns where nothing was said', async () => {
    expect(await messagesOf(chatGpt({}))).toEqual([])
    expect(await messagesOf(chain(said('system', ''), null))).toEqual([])
  })

  it('passes over what ChatGPT hides, and does not list it', async () => {
    const hidden = [
      said('system', ''),
      said('system', 'secret', { weight: 0 }),
      said('user', 'profile', { content: { content_type: 'user_editable_context', user_profile: 'x' } }),
      said('assistant', 'memory', {
        content: { content_type: 'model_editable_context', model_set_context: 'x' },
      }),
      said('user', 'unseen', { metadata: { is_visually_hidden_from_conversation: true } }),
    ]
    const thinking = [
      said('assistant', '', { content: { content_type: 'thoughts', thoughts: [] } }),
      said('assistant', '', { content: { content_type: 'reasoning_recap', content: 'Thought for 8s' } }),
      said('assistant', ''),
    ]
    const shown = [said('system', 'Be brief.'), said('user', 'hi')]
    const record = await chatGptRecord(chain(...hidden, ...shown, ...thinking, said('assistant', 'Hello')))
    expect(record.turns.map(({ messages }) => messages)).toEqual([
      [{ role: 'system', content: 'Be brief.' }, user('hi'), assistant('Hello')],
    ])
    expect(record.leftOut).toEqual([])
  })

  it('makes a call of a tool and its answer a call and its result', async () => {
    const messages = await messagesOf(
      chain(
        said('user', 'How much?'),
        python('1 + 1'),
        output('2'),
        output('(done)'),
        said('assistant', 'Two.'),
        said('assistant', 'cats', { recipient: 'web.run' }),
        said('tool', '', { content: { content_type: 'tether_browsing_display', result: 'Cats.' } }),
      ),
    )
    const calling = (id: string, name: string, input: string) => ({
      role: 'assistant',
      content: null,
      tool_calls: [{ id, type: 'custom', custom: { name, input } }],
    })
    expect(messages).toEqual([
      [
        user('How much?'),
        calling('call_1', 'python', '1 + 1'),
        { role: 'tool', tool_call_id: 'call_1', content: '2\n(done)' },
        assistant('Two.'),
        calling('call_2', 'web_run', 'cats'),
        { role: 'tool', tool_call_id: 'call_2', content: 'Cats.' },
      ],
    ])
  })

  it('leaves out a call without a result and a result without a call, and lists them', async () => {
    const hidden = output('4', { weight: 0 })
    const record = await chatGptRecord(
      chain(said('user', 'a'), python('1'), python('2'), hidden, said('user', 'b'), output('5'), python('6')),
    )
    expect(record.turns.map(({ messages }) => messages)).toEqual([[user('a')], [user('b')]])
    expect(record.leftOut.toSorted()).toEqual([
      'tool call without a result',
      'tool call without a result',
      'tool call without a result',
      'tool result without a call',
    ])
  })

  it('keeps the text beside pictures and recordings, which stand as [image] and [audio]', async () => {
    const parts = (...all: unknown[]) =>
      said('user', '', { content: { content_type: 'multimodal_text', parts: all } })
    const picture = { content_type: 'image_asset_pointer', asset_pointer: 'file-service://x' }
    const voice = { content_type: 'real_time_user_audio_video_asset_pointer' }
    const spoken = { content_type: 'audio_transcription', text: '[audio]: hello' }
    const record = await chatGptRecord(
      chain(
        parts(picture, 'What is it?'),
        parts(voice),
        parts(spoken, voice),
        parts({ content_type: 'hologram' }),
      ),
    )
    expect(record.turns.map(({ messages }) => messages)).toEqual([
      [user('[image]\nWhat is it?')],
      [user('[audio]')],
      [user('[audio]: hello')],
    ])
    expect(record.leftOut).toEqual(['hologram'])
  })

  it('lists every kind of message that it has no text of', async () => {
    const of = (content: unknown) => said('assistant', '', { content })
    const record = await chatGptRecord(
      chain(
        said('user', 'hi'),
        of({ content_type: 'super_widget', widgets: {} }),
        of({ content_type: 'code', text: null }),
        of({ content_type: 'text' }),
        of({ content_type: 'toString', text: 'x' }),
        of(null),
        of({}),
        said('critic', 'Meh.'),
      ),
    )
    expect(record.turns.map(({ messages }) => messages)).toEqual([[user('hi')]])
    expect(record.leftOut).toEqual([
      'super_widget',
      'code',
      'text',
      'toString',
      'content without a type',
      'content without a type',
      'message of an unknown role',
    ])
  })
})

function importText(
  store: ConversationStore,
  content: string,
  options: Partial<ImportOptions> = {},
): ReturnType<typeof importConversations> {
  return importConversations(store, chunked(content), { ...DEFAULTS, ...options })
}

async function exportOf(store: ConversationStore, userId: string, conversationId?: string): Promise<string> {
  const conversations = await listForExport(store, { userId, conversationId })
  return (await collect(exportLines(store, conversations, { userId }))).join('')
}

function turnsOf(store: ConversationStore, userId: string, conversationId: string): Promise<StoredTurn[]> {
  return store.conversation({ userId, conversationId }).listTurns({ limit: 1000 })
}

async function contentsOf(...conversation: Parameters<typeof turnsOf>): Promise<unknown[][]> {
  return (await turnsOf(...conversation)).map(({ messages }) => messages.map(({ content }) => content))
}

/** A record of as many turns as there are texts, each a question and its answer. */
function recording(texts: readonly string[], more: object = {}): object {
  return { messages: texts.flatMap((text) => [user(text), assistant(`re: ${text}`)]), ...more }
}

onEachDatabase('export and import', (database) => {
  let store: ConversationStore
  beforeAll(async () => void (store = await database.open()))

  it('writes a turn a line, with what is kept beside turns and conversations', async () => {
    const first = store.conversation({ userId: 'lines', conversationId: 'first' })
    const second = store.conversation({ userId: 'lines', conversationId: 'second' })
    const one = await first.append([user('a'), assistant('b')], { metadata: { model: 'm' } })
    await second.append([user('x')])
    const two = await first.append([user('c')])
    await first.setMetadata({ title: 'First' })
    const lines = (await exportOf(store, 'lines')).trimEnd().split('\n')
    const of = { user_id: 'lines', conversation_id: 'first' }
    expect(lines.slice(1).map((line) => JSON.parse(line) as unknown)).toEqual([
      {
        ...{
          ...of,
          position: 1,
          messages: [user('a'), assistant('b')],
          created_at: one.createdAt.toISOString(),
        },
        ...{ metadata: { model: 'm' }, conversation_metadata: { title: 'First' } },
      },
      { ...of, position: 2, messages: [user('c')], created_at: two.createdAt.toISOString() },
    ])
    // The conversation that was written to last stands at the end.
    expect(JSON.parse(lines[0]!)).toMatchObject({ conversation_id: 'second', position: 1 })
    expect(await exportOf(store, 'lines', 'second')).toBe(`${lines[0]}\n`)
    expect(await listForExport(store, { userId: 'lines', conversationId: 'third' })).toEqual([])
  })

  it('brings back everything, whatever it says: what is exported again is the same to the byte', async () => {
    const random = randomFrom(4711)
    const userId = 'ada "\u2028" 東京 😀'
    for (const conversationId of ['one', 'two\u2029\ufeff', '{"3":[']) {
      const conversation = store.conversation({ userId, conversationId, encoding: 'cl100k_base' })
      await conversation.setMetadata({ title: hostileText(random), nested: [{ text: hostileText(random) }] })
      for (let turn = 0; turn < 25; turn++) {
        const metadata = turn % 3 === 0 ? { note: hostileText(random) } : undefined
        await conversation.append(hostileTurn(random), { metadata })
      }
    }
    const exported = await exportOf(store, userId)
    expect(exported).toContain('\\ud800')
    expect(exported).toContain('\\u0000')
    for (const generation of [1, 2]) {
      await store.forgetUser(userId)
      const totals = await importText(store, exported)
      expect(totals, `generation ${generation}`).toMatchObject({ conversations: 3, stored: 75, already: 0 })
      expect(await exportOf(store, userId)).toBe(exported)
    }
    const [first] = await turnsOf(store, userId, 'one')
    const { created_at, metadata } = JSON.parse(exported.split('\n')[0]!) as {
      created_at: string
      metadata: object
    }
    expect(first!.metadata).toEqual({ ...metadata, created_at })
  })

  it('exports a conversation that is longer than what is read at a time', async () => {
    const texts = Array.from({ length: 201 }, (_, index) => `turn ${index}`)
    const conversation = store.conversation({ userId: 'pages', conversationId: 'c' })
    await conversation.setMetadata({ title: 'Long' })
    await importText(store, jsonLines([recording(texts, { conversation_id: 'c', user_id: 'pages' })]))
    const lines = (await exportOf(store, 'pages')).trimEnd().split('\n')
    const turns = lines.map((line) => JSON.parse(line) as { position: number; messages: Message[] })
    expect(turns.map(({ position }) => position)).toEqual(texts.map((_, index) => index + 1))
    expect(turns.map(({ messages }) => messages[0]!.content)).toEqual(texts)
    const titled = turns.filter((turn) => 'conversation_metadata' in turn)
    expect(titled.map(({ position }) => position)).toEqual([1])
  })

  it('counts nothing anew to export: counts, encoding and framing stay as they were', async () => {
    const key = { userId: 'counted', conversationId: 'c' }
    const conversation = store.conversation({ ...key, encoding: 'cl100k_base', framing: 'chat' })
    for (const text of ['one', 'two 東京', 'three']) await conversation.append([user(text)])
    const before = await conversation.listTurns()
    await exportOf(store, 'counted')
    expect(await store.conversation(key).countedAs()).toMatchObject({ encoding: 'cl100k_base' })
    expect(await conversation.listTurns()).toEqual(before)
  })

  it("keeps a created_at that is the host's own", async () => {
    const conversation = store.conversation({ userId: 'own', conversationId: 'c' })
    await conversation.append([user('a')], { metadata: { created_at: 5 } })
    await conversation.append([user('b')], { metadata: { created_at: '2001-02-03T04:05:06Z', by: 'ada' } })
    const exported = await exportOf(store, 'own')
    const lines = exported
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    expect(lines[0]).toMatchObject({ metadata: { created_at: 5 } })
    expect(lines[1]).toMatchObject({ created_at: '2001-02-03T04:05:06Z', metadata: { by: 'ada' } })
    await store.forgetUser('own')
    await importText(store, exported)
    const imported = await turnsOf(store, 'own', 'c')
    expect(imported.map(({ metadata }) => metadata)).toEqual([
      { created_at: 5 },
      { created_at: '2001-02-03T04:05:06Z', by: 'ada' },
    ])
  })

  it('adds nothing when an export is read back into the store that it was made of', async () => {
    const conversation = store.conversation({ userId: 'back', conversationId: 'c' })
    for (const text of ['a', 'b', 'dropped', 'c'])
      await conversation.append([user(text)], { idempotencyKey: text })
    const exported = await exportOf(store, 'back')
    const before = await conversation.listTurns()
    expect(await importText(store, exported)).toMatchObject({ stored: 0, already: 4 })
    expect(await conversation.listTurns()).toEqual(before)

    // What was dropped since is not there, and comes back behind the others.
    await conversation.rewind({ to: 2 })
    await conversation.append([user('d')])
    expect(await importText(store, exported)).toMatchObject({ stored: 2, already: 2 })
    expect(await contentsOf(store, 'back', 'c')).toEqual([['a'], ['b'], ['d'], ['dropped'], ['c']])
    expect(await importText(store, exported)).toMatchObject({ stored: 0, already: 4 })

    // What stands at its position and says something else is not the turn.
    const [line] = exported.replace('"a"', '"edited"').split('\n')
    expect(await importText(store, line!)).toMatchObject({ stored: 1, already: 0 })
  })

  it('stores a file once, however often it is imported, and of a longer one what is new', async () => {
    const shorter = jsonLines([recording(['a', 'a', 'b'], { conversation_id: 'c', user_id: 'longer' })])
    const longer = jsonLines([
      recording(['a', 'a', 'b', 'a'], { conversation_id: 'c', user_id: 'longer' }),
      recording(['x'], { conversation_id: 'd', user_id: 'longer' }),
    ])
    const first = await importText(store, shorter)
    expect(first).toMatchObject({
      conversations: 1,
      stored: 3,
      already: 0,
      bytes: Buffer.byteLength(shorter),
    })
    expect([...first.users]).toEqual(['longer'])
    expect(await importText(store, shorter)).toMatchObject({ stored: 0, already: 3, tokens: first.tokens })
    expect(await importText(store, longer)).toMatchObject({ conversations: 2, stored: 2, already: 3 })
    const last = await importText(store, longer)
    expect(last).toMatchObject({ stored: 0, already: 5 })
    expect((await contentsOf(store, 'longer', 'c')).map(([text]) => text)).toEqual(['a', 'a', 'b', 'a'])
    const listed = await store.listConversations('longer')
    expect(listed.reduce((sum, { tokenCount }) => sum + tokenCount, 0)).toBe(last.tokens)

    // A turn that was changed is new: it is not refused for having the number of another.
    const changed = jsonLines([recording(['a', 'changed'], { conversation_id: 'c', user_id: 'longer' })])
    expect(await importText(store, changed)).toMatchObject({ stored: 1, already: 1 })
  })

  it('stores every turn once and in order, wherever the import before it stopped', async () => {
    const texts = ['a', 'b', 'a', 'c', 'c']
    const file = jsonLines([
      recording(texts, { conversation_id: 'one' }),
      recording(texts, { conversation_id: 'two' }),
    ])
    for (let stop = 1; stop <= 10; stop++) {
      const userId = `stopped after ${stop}`
      let turns = 0
      const afterTurn = () => {
        if (++turns === stop) throw new RangeError('Stop here.')
      }
      await expect(importText(store, file, { userId, afterTurn })).rejects.toThrow('Stop here.')
      expect(await importText(store, file, { userId })).toMatchObject({ stored: 10 - stop, already: stop })
      for (const id of ['one', 'two']) {
        expect((await contentsOf(store, userId, id)).map(([text]) => text)).toEqual(texts)
      }
    }
  })

  it('loses no turn that records without a name have in common, when they go into one conversation', async () => {
    const file = jsonLines([recording(['hi', 'a']), recording(['hi', 'b'])])
    const options = { userId: 'common', conversationId: 'all' }
    expect(await importText(store, file, options)).toMatchObject({ conversations: 1, stored: 4 })
    expect(await importText(store, file, options)).toMatchObject({ stored: 0, already: 4 })
    expect((await contentsOf(store, 'common', 'all')).map(([text]) => text)).toEqual(['hi', 'a', 'hi', 'b'])
  })

  it('leaves what is there as it is: how it is counted, and its metadata', async () => {
    const key = { userId: 'there', conversationId: 'c-1' }
    const there = store.conversation({ ...key, encoding: 'cl100k_base', framing: 'chat' })
    await there.append([user('before')])
    await there.setMetadata({ title: 'Mine' })
    const file = JSON.stringify([chain(said('user', 'hi'), said('assistant', 'Hello'))])
    await importText(store, file, { userId: 'there' })
    expect(await there.countedAs()).toEqual({ encoding: 'cl100k_base', framing: { kind: 'chat' } })
    const [listed] = await store.listConversations('there')
    expect(listed).toMatchObject({ turnCount: 2, metadata: { title: 'Mine' } })

    await importText(store, file, { userId: 'there', encoding: 'o200k_base' })
    expect(await there.countedAs()).toMatchObject({ encoding: 'o200k_base', framing: { kind: 'chat' } })
  })

  it("keeps the title and the times of ChatGPT's conversations, and says what it left out", async () => {
    const widget = said('assistant', '', { content: { content_type: 'super_widget' } })
    const times = { create_time: 1_700_000_001.5 }
    const file = JSON.stringify([
      chain(said('user', 'hi', times), widget, said('assistant', 'Hello')),
      chatGpt({}),
    ])
    const totals = await importText(store, file, { userId: 'gpt', framing: 'chat' })
    expect(totals).toMatchObject({ conversations: 1, stored: 1, bytes: file.length - 1 })
    expect([...totals.leftOut]).toEqual([['super_widget', 1]])
    const [listed] = await store.listConversations('gpt')
    expect(listed!.metadata).toEqual({
      title: 'Seats',
      created_at: '2023-11-14T22:13:20.250Z',
      source: 'chatgpt',
    })
    const conversation = store.conversation({ userId: 'gpt', conversationId: 'c-1', framing: 'chat' })
    const [turn] = await conversation.listTurns()
    expect(turn).toMatchObject({
      metadata: { created_at: '2023-11-14T22:13:21.500Z' },
      tokenCount: totals.tokens,
    })
    const line = JSON.parse(await exportOf(store, 'gpt')) as object
    expect(line).toMatchObject({ created_at: '2023-11-14T22:13:21.500Z' })
    expect(line).not.toHaveProperty('metadata')
  })

  it.each([
    [
      'a message of no known role',
      recording([]),
      { role: CANARY, content: CANARY },
      'turn 1: messages[0].role must be',
    ],
    [
      'a content that is a number',
      recording(['a']),
      { role: 'user', content: 5 },
      'turn 2: messages[0].content must be',
    ],
    [
      'a message that is too deep',
      recording(['a']),
      { ...user(CANARY), deep: '<50000>' },
      'turn 2: nested too deeply',
    ],
    [
      'a message that is quite deep',
      recording(['a']),
      { ...user(CANARY), deep: '<300>' },
      'turn 2: A message is nested',
    ],
    [
      'an id with NUL',
      recording(['a'], { conversation_id: `${CANARY}\0` }),
      user('b'),
      'Line 2: conversationId must be',
    ],
    [
      'an id that is too long',
      recording(['a'], { user_id: CANARY.repeat(99) }),
      user('b'),
      'Line 2: userId must be at most',
    ],
  ])('names line and turn of %s, and keeps what stands before it', async (title, record, message, reason) => {
    const { messages } = record as { messages: unknown[] }
    const file = [
      JSON.stringify(recording(['good'])),
      toJson({ ...record, messages: [...messages, message] }),
    ].join('\n')
    const error = await failureOf(() => importText(store, file, { userId: title }))
    expect(error.code).toBe('BAD_RECORD')
    expect(error.message).toContain(reason)
    expect(error.message).toMatch(/^Line 2: /)
    expect(await contentsOf(store, title, 'source:1')).toEqual([['good', 're: good']])
  })

  it("refuses content that it cannot count, and options that are wrong, as the caller's own", async () => {
    const picture = { type: 'image_url', image_url: { url: `https://example.com/${CANARY}` } }
    const file = jsonLines([{ messages: [{ role: 'user', content: [picture] }] }])
    const uncounted = await failureOf(() => importText(store, file, { userId: 'pictures', framing: 'chat' }))
    expect(uncounted).toMatchObject({
      code: 'BAD_RECORD',
      message: expect.stringContaining('Line 1: turn 1: '),
    })
    expect(await importText(store, file, { userId: 'pictures' })).toMatchObject({ stored: 1 })
    expect(await failureOf(() => importText(store, file, { userId: '' }))).toMatchObject({
      code: 'INVALID_ID',
    })
    const wrong = { encoding: 'none' as 'gpt2' }
    expect(await failureOf(() => importText(store, file, wrong))).toMatchObject({ code: 'UNKNOWN_ENCODING' })
  })
})

/** As JSON.stringify, but `<50000>` becomes that many arrays in each other, where it would overflow the stack. */
function toJson(record: object): string {
  return JSON.stringify(record).replace(/"<(\d+)>"/, (_, levels) => '['.repeat(levels) + ']'.repeat(levels))
}

/** Writes a file, and gives its path. */
function fileOf(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

onEachDatabase('backscroll export and import', (database) => {
  const here = (...args: string[]) => runHere([...args, '--database', database.url])

  it('say what they did, and give the same facts to a program', async () => {
    await database.open()
    const texts = [recording(['a', 'b']), recording(['c'], { user_id: 'ada', conversation_id: 'seats' })]
    const file = fileOf('said.jsonl', jsonLines(texts))
    const { code, output } = await here('import', file, '--user', 'said')
    expect(code).toBe(0)
    expect(output).toMatch(/^3 turns stored, 0 there already: 2 conversations of 2 users, \d\d tokens\.\n$/)

    const again = await here('import', file, '--user', 'said', '--json')
    expect(again.code).toBe(0)
    const [, tokens] = /(\d+) tokens/.exec(output)!
    const facts = { users: 2, conversations: 2, stored: 0, already: 3, tokens: Number(tokens), leftOut: {} }
    expect(JSON.parse(again.output)).toEqual(facts)
    const store = await database.open()
    expect(await contentsOf(store, 'said', 'said.jsonl:1')).toEqual([
      ['a', 're: a'],
      ['b', 're: b'],
    ])

    const exported = await here('export', '--user', 'said')
    expect(exported).toEqual({ code: 0, errors: '', output: await exportOf(store, 'said') })
    const one = await here('export', '--user', 'ada', '--conversation', 'seats')
    expect(one).toEqual({ code: 0, errors: '', output: await exportOf(store, 'ada', 'seats') })
  })

  it('say what was left out, without letting it act on the terminal', async () => {
    const odd = (content_type: string) => said('assistant', '', { content: { content_type } })
    const file = fileOf(
      'odd.json',
      JSON.stringify([chain(said('user', 'hi'), odd('w\u001b[31m'), odd('x'), odd('x'))]),
    )
    const { code, output } = await here('import', file, '--user', 'odd')
    expect(code).toBe(0)
    expect(output).toMatch(/^1 turn stored, [^\n]+\n3 messages [^\n]+ left out: w \(1\), x \(2\)\.\n$/)
    const { output: asJson } = await here('import', file, '--user', 'odd', '--json')
    expect(JSON.parse(asJson)).toMatchObject({ leftOut: { 'w\u001b[31m': 1, x: 2 } })
    expect(asJson).not.toContain('\u001b')
  })

  it('count a new conversation as they are told to', async () => {
    const file = fileOf('counted.jsonl', jsonLines([recording(['a'], { conversation_id: 'c' })]))
    const counting = ['--model', 'gpt-4', '--framing', 'chat']
    expect(await here('import', file, '--user', 'told', ...counting)).toMatchObject({ code: 0 })
    const conversation = (await database.open()).conversation({ userId: 'told', conversationId: 'c' })
    expect(await conversation.countedAs()).toEqual({ encoding: 'cl100k_base', framing: { kind: 'chat' } })
  })

  it('write a file that is there whole or not at all, and replace one only when told to', async () => {
    const store = await database.open()
    await importText(store, jsonLines([recording(['a', 'b'])]), { userId: 'whole' })
    const target = join(mkdtempSync(join(folder, 'out-')), 'me.jsonl')
    const files = () => readdirSync(join(target, '..'))
    const write = (...args: string[]) => here('export', '--user', 'whole', '--output', target, ...args)
    expect(await write()).toEqual({ code: 0, output: '', errors: '' })
    expect(readFileSync(target, 'utf8')).toBe(await exportOf(store, 'whole'))
    expect(files()).toEqual(['me.jsonl'])

    await importText(store, jsonLines([recording(['a', 'b', 'c'])]), { userId: 'whole' })
    const refused = await write()
    expect(refused).toMatchObject({ code: 1, output: '' })
    expect(refused.errors).toMatch(/^backscroll: The file is there already[^\n]+\n$/)
    expect(readFileSync(target, 'utf8')).not.toBe(await exportOf(store, 'whole'))
    expect(await write('--force')).toEqual({ code: 0, output: '', errors: '' })
    expect(readFileSync(target, 'utf8')).toBe(await exportOf(store, 'whole'))

    writeFileSync(target, CANARY)
    const lines = async function* () {
      yield 'a line\n'
      throw new Error('The database is gone.')
    }
    await expect(writeWhole(target, lines(), { replace: true })).rejects.toThrow('The database is gone.')
    expect(files()).toEqual(['me.jsonl'])
    expect(readFileSync(target, 'utf8')).toBe(CANARY)
  })

  it('end with 4 when there is nothing to export, and make no file', async () => {
    const target = join(folder, `none-${database.name}.jsonl`)
    for (const of of [
      ['--user', 'nobody'],
      ['--user', 'ada', '--conversation', 'none'],
    ]) {
      const { code, output, errors } = await here('export', ...of, '--output', target)
      expect({ code, output }).toEqual({ code: 4, output: '' })
      expect(errors).toMatch(/^backscroll: There is nothing to export[^\n]+\n$/)
    }
    expect(readdirSync(folder)).not.toContain(`none-${database.name}.jsonl`)
  })

  it('name the line that is wrong, not what is on it, and end with 1', async () => {
    const file = fileOf('wrong.jsonl', `${jsonLines([recording(['good'])])}{"${CANARY}`)
    const { code, output, errors } = await here('import', file, '--user', 'wrong')
    expect({ code, output }).toEqual({ code: 1, output: '' })
    expect(errors).toMatch(/^backscroll: Line 2: not JSON [^\n]+\n$/)
    expect(errors).not.toContain(CANARY)
    expect(await contentsOf(await database.open(), 'wrong', 'wrong.jsonl:1')).toEqual([['good', 're: good']])
  })

  it('go on with an import that was killed: every turn is there once, in order', async () => {
    const texts = Array.from({ length: 60 }, (_, index) => `turn ${index}`)
    const record = (text: string, position: number) => ({
      ...recording([text]),
      position,
      conversation_id: 'c',
      user_id: 'killed',
    })
    const file = jsonLines(texts.map((text, index) => record(text, index + 1)))
    const half = file.slice(0, file.length / 2)
    const store = await database.open()
    const started = startCli(['import', '-', '--database', database.url])
    // Its input stays open, so that it is in the middle of the file whenever it is killed.
    started.stdin.write(half)
    await until(async () => (await turnsOf(store, 'killed', 'c')).length > 0)
    started.kill('SIGKILL')
    expect(await started.ended).toMatchObject({ code: 137 })
    expect((await turnsOf(store, 'killed', 'c')).length).toBeLessThan(31)

    const { code, output } = await here('import', fileOf('killed.jsonl', file), '--json')
    expect(code).toBe(0)
    const { stored, already } = JSON.parse(output) as { stored: number; already: number }
    expect(stored + already).toBe(60)
    expect(already).toBeGreaterThan(0)
    expect((await contentsOf(store, 'killed', 'c')).map(([text]) => text)).toEqual(texts)
  })

  it('stop at Ctrl-C with 130, and say that the import can go on', async () => {
    const file = jsonLines([recording(['a', 'b', 'c'], { conversation_id: 'c', user_id: 'stopped' })])
    const store = await database.open()
    const started = startCli(['import', '-', '--database', database.url])
    started.stdin.write(`${file}{"mess`)
    await until(async () => (await turnsOf(store, 'stopped', 'c')).length === 3)
    started.kill('SIGINT')
    const { code, output, errors } = await started.ended
    expect({ code, output }).toEqual({ code: 130, output: '' })
    expect(errors).toMatch(/^backscroll: Interrupted\. [^\n]+ goes on from there\.\n$/)
    expect(await importText(store, file)).toMatchObject({ stored: 0, already: 3 })
  })

  it('work in a pipe, as processes, and end quietly when nobody reads on', async () => {
    const texts = Array.from({ length: 20 }, (_, index) => `${index} ${'long '.repeat(1000)}`)
    const store = await database.open()
    await importText(store, jsonLines([recording(texts)]), { userId: 'piped' })
    const exported = await runCli(['export', '--user', 'piped', '--database', database.url])
    expect(exported).toEqual({ code: 0, errors: '', output: await exportOf(store, 'piped') })
    await store.forgetUser('piped')
    const imported = await runCli(['import', '-', '--database', database.url], { input: exported.output })
    expect(imported).toMatchObject({ code: 0, errors: '' })
    expect(await exportOf(store, 'piped')).toBe(exported.output)

    const unread = startCli(['export', '--user', 'piped', '--database', database.url])
    unread.stdout.once('data', () => unread.stdout.destroy())
    const [[code], complaint] = await Promise.all([once(unread, 'exit'), allOf(unread.stderr)])
    expect({ code, complaint }).toEqual({ code: 0, complaint: '' })
  })
})

/** Asks until it is so. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await setTimeout(5)
}

describe('backscroll import and export', () => {
  it.each([
    [['import'], 2, 'FILE is missing'],
    [['import', 'a', CANARY], 2, 'takes 1 argument; got 2'],
    [['import', '/dev/null', '--encoding', 'none'], 2, 'Unknown encoding'],
    [['import', '/dev/null', '--framing', CANARY], 2, '--framing takes text or chat'],
    [['import', '/dev/null', '--model', 'gpt-5', '--encoding', 'gpt2'], 2, 'give --encoding or --model'],
    [['import', '/dev/null', '--user', `${CANARY}\0`], 2, 'userId must be'],
    [['import', `/${CANARY}`], 1, 'there is no such file'],
    [['import', '/'], 1, 'it is a folder'],
    [['export', CANARY], 2, 'takes no arguments; got 1'],
    [['export', '--force'], 2, '--force has no use without --output'],
    [['export', '--database', `sqlite:/${CANARY}`], 3, 'There is no database'],
  ])('refuse %j with exit code %i, and do not repeat it', async (args, code, reason) => {
    const environment = { BACKSCROLL_DATABASE: `sqlite:${join(folder, 'refused.db')}` }
    const ended = await runHere(args, { environment })
    expect(ended).toMatchObject({ code, output: '', errors: expect.stringContaining(reason) })
    expect(ended.errors).toMatch(/^backscroll: [^\n]+\n$/)
    expect(ended.errors).not.toContain(CANARY)
  })

  it('refuse to write to a folder, a device, or where there is no folder', async () => {
    const url = `sqlite:${join(folder, 'unwritten.db')}`
    const file = fileOf('unwritten.jsonl', jsonLines([recording(['a'])]))
    expect(await runHere(['import', file, '--database', url])).toMatchObject({ code: 0 })
    for (const [target, reason] of [
      [folder, 'it is no file'],
      ['/dev/null', 'it is no file'],
      [join(folder, CANARY, 'x'), 'there is no such file or folder'],
    ] as const) {
      const ended = await runHere(['export', '--database', url, '--output', target, '--force'])
      expect(ended).toMatchObject({ code: 1, output: '', errors: expect.stringContaining(reason) })
      expect(ended.errors).not.toContain(CANARY)
    }
  })

  it('show how far a long import is, on the terminal and not on the output', async () => {
    const url = `sqlite:${join(folder, 'long.db')}`
    const file = fileOf('long.jsonl', jsonLines([recording(['a']), recording(['b']), recording(['c'])]))
    // Each look at the clock is most of a second after the one before.
    let ms = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (ms += 700))
    const { code, output, errors } = await runHere(['import', file, '--database', url, '--json'], {
      columns: 100,
    })
    clock.mockRestore()
    expect(code).toBe(0)
    expect(JSON.parse(output)).toMatchObject({ stored: 3, conversations: 3 })
    expect(errors).toMatch(/█+░+ 33 % {2}[\d,]+ of [\d,]+ bytes/)
  })
})
