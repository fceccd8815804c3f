import type { AgentInputItem } from '@openai/agents-core'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toMessage, toMessages } from '../src/openai-agents/chat-form.ts'
import { toItems } from '../src/openai-agents/item-form.ts'
import { withoutOrphans } from '../src/openai-agents/orphans.ts'
import type { Message } from '../src/types.ts'
import { anyItem, ITEMS } from './openai-agents/items.ts'

const SEED = 20261123

describe('an item that is stored as a message', () => {
  it.each(Object.entries(ITEMS))('is read back as it was: %s', (_, item) => {
    expect(toItems(stored([toMessage(item)]))).toStrictEqual([item])
  })

  it('is read back as it was, whatever it is', () => {
    fc.assert(
      fc.property(fc.array(anyItem, { maxLength: 4 }), (items) => {
        expect(toItems(stored(toMessages('items', items)))).toStrictEqual(structuredClone(items))
      }),
      { seed: SEED, numRuns: 500 },
    )
  })

  it('is the same message whatever the order of its keys', () => {
    fc.assert(
      fc.property(anyItem, (item) => {
        expect(toMessage(backwards(item) as AgentInputItem)).toEqual(toMessage(item))
      }),
      { seed: SEED, numRuns: 300 },
    )
  })

  it('is in chat form, as others read it', () => {
    expect(toMessages('items', [ITEMS['a question'], ITEMS['a call'], ITEMS['an answer']])).toEqual([
      { role: 'user', content: 'How cold is it in Oslo?' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } },
        ],
      },
      { role: 'assistant', content: '-3 °C.' },
    ])
  })

  it('has beside it what the chat form lacks, and no text twice', () => {
    expect(toMessages('items', [ITEMS['a result'], ITEMS['an answer as a provider gives it']])).toEqual([
      {
        role: 'tool',
        tool_call_id: 'call_1',
        content: '{"celsius":-3}',
        agents_item: { type: 'function_call_result', name: 'weather', status: 'completed' },
      },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'It is ' },
          { type: 'text', text: '-3 °C.' },
        ],
        agents_item: {
          id: 'msg_1',
          type: 'message',
          role: 'assistant',
          status: 'completed',
          phase: 'final_answer',
          content: [{ providerData: { annotations: [], logprobs: [] } }, {}],
          providerData: { model: 'm', nested: { list: [1, null, 'x', { y: true }] } },
        },
      },
    ])
  })

  it('is the JSON of it where there is no chat form, so that it has a count', () => {
    expect(toMessage(ITEMS['a hosted call']!)).toEqual({
      role: 'assistant',
      content:
        '{"id":"ws_1","name":"web_search_call","providerData":{"action":{"query":"Oslo"},"type":"web_search_call"},' +
        '"status":"completed","type":"hosted_tool_call"}',
      agents_item: {},
    })
  })

  it('is read back as it was when its parts, or its fields, are of a later SDK', () => {
    const items = [
      {
        role: 'user',
        content: [
          { type: 'file', file: 'data:text/plain;base64,aGk=', filename: 'hi.txt' },
          { type: 'video', text: 'A cat.', url: 'https://example.com/cat.mp4' },
        ],
      },
      { type: 'function_call', call_id: 'call_1', name: 'weather', arguments: {} },
      { type: 'function_call_result', callId: 'call_1', outputs: [] },
      { type: 'reasoning', summary: [], encrypted_content: 'gAAAAB' },
      { type: 'computer_call_result', callId: 'call_1', output: { type: 'computer_video', frames: [] } },
      { type: 'brand_new', role: 'user', content: 'hi', callId: 'call_1' },
    ]
    expect(toItems(stored(toMessages('items', items)))).toStrictEqual(items)
  })

  it('loses fields that are undefined, and nothing else', () => {
    const item = {
      ...ITEMS['a call'],
      namespace: undefined,
      providerData: { a: undefined, b: [{ c: undefined }] },
    }
    expect(toItems(stored([toMessage(item as AgentInputItem)]))).toStrictEqual([
      { ...ITEMS['a call'], providerData: { b: [{}] } },
    ])
  })

  const cyclic: Record<string, unknown> = { type: 'unknown' }
  cyclic['providerData'] = cyclic

  it.each<[what: string, item: unknown]>([
    ['nothing', null],
    ['a text', 'hi'],
    ['an array', []],
    ['neither a type nor a role', { content: 'hi' }],
    ['a message without a role', { type: 'message', content: 'hi' }],
    ['a role that there is not', { role: 'robot', content: 'hi' }],
    ['a message without content', { role: 'user' }],
    ['content that is no parts', { role: 'user', content: [{ text: 'hi' }] }],
    ['a function', { type: 'unknown', providerData: { f: () => 'hi' } }],
    ['a Date', { type: 'unknown', providerData: { at: new Date(0) } }],
    ['a Map', { type: 'unknown', providerData: { map: new Map() } }],
    ['a bigint', { type: 'unknown', providerData: { n: 1n } }],
    ['NaN', { type: 'unknown', providerData: { n: Number.NaN } }],
    ['a hole in an array', { type: 'unknown', providerData: { list: [undefined] } }],
    ['itself', cyclic],
  ])('is refused when it holds %s', (_, item) => {
    expect(() => toMessages('items', [ITEMS['a question'], item])).toThrow(
      expect.objectContaining({ name: 'InvalidMessageError', code: 'INVALID_MESSAGE' }),
    )
  })

  it.each<[what: string, message: object]>([
    ['fields that are none', { role: 'assistant', content: '{}', agents_item: 'x' }],
    ['a text that is no JSON', { role: 'assistant', content: 'secret', agents_item: {} }],
    ['JSON that is no item', { role: 'assistant', content: '"secret"', agents_item: {} }],
    ['no text at all', { role: 'assistant', content: null, agents_item: {} }],
  ])('is not read back from %s: something else changed it', (_, message) => {
    expect(() => toItems([message as Message])).toThrow(
      expect.objectContaining({ code: 'CORRUPT_DATA', message: expect.not.stringContaining('secret') }),
    )
  })
})

describe('a message that others stored', () => {
  const call = (id: string, name: string) => ({ id, type: 'function', function: { name, arguments: '{}' } })
  it.each<[what: string, messages: unknown[], items: unknown[]]>([
    [
      'a question with a name',
      [{ role: 'user', content: 'hi', name: 'ada' }],
      [{ type: 'message', role: 'user', content: 'hi', providerData: { name: 'ada' } }],
    ],
    [
      'a question in parts',
      [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'hi' },
            { type: 'image_url', image_url: { url: 'https://example.com/a.png', detail: 'low' } },
            { type: 'input_audio', input_audio: { data: 'aGk=', format: 'wav' } },
            { type: 'file', file: { file_id: 'file_1', filename: 'a.txt' } },
            { type: 'video', seconds: 1 },
          ],
        },
      ],
      [
        {
          type: 'message',
          role: 'user',
          content: [
            { type: 'input_text', text: 'hi' },
            { type: 'input_image', image: 'https://example.com/a.png', detail: 'low' },
            { type: 'audio', audio: 'aGk=', format: 'wav' },
            { type: 'input_file', file: { id: 'file_1' }, filename: 'a.txt' },
            { type: 'input_text', text: '{"seconds":1,"type":"video"}' },
          ],
        },
      ],
    ],
    [
      'instructions',
      [
        {
          role: 'developer',
          content: [
            { type: 'text', text: 'Be ' },
            { type: 'text', text: 'brief.' },
          ],
        },
      ],
      [{ type: 'message', role: 'system', content: 'Be brief.' }],
    ],
    [
      'an answer that calls two tools, and what they gave',
      [
        { role: 'assistant', content: 'One moment.', tool_calls: [call('c1', 'one'), call('c2', 'two')] },
        { role: 'tool', tool_call_id: 'c2', content: '2' },
        { role: 'tool', tool_call_id: 'c9', content: [{ type: 'text', text: '9' }] },
      ],
      [
        {
          type: 'message',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: 'One moment.' }],
        },
        { type: 'function_call', callId: 'c1', name: 'one', arguments: '{}', status: 'completed' },
        { type: 'function_call', callId: 'c2', name: 'two', arguments: '{}', status: 'completed' },
        {
          type: 'function_call_result',
          callId: 'c2',
          name: 'two',
          status: 'completed',
          output: { type: 'text', text: '2' },
        },
        {
          type: 'function_call_result',
          callId: 'c9',
          name: '',
          status: 'completed',
          output: [{ type: 'input_text', text: '9' }],
        },
      ],
    ],
    [
      'calls with an empty answer, one of a custom tool',
      [
        {
          role: 'assistant',
          content: '',
          tool_calls: [{ id: 'c1', type: 'custom', custom: { name: 'one', input: 'x' } }],
        },
      ],
      [{ type: 'function_call', callId: 'c1', name: 'one', arguments: 'x', status: 'completed' }],
    ],
    [
      'a refusal, and an answer of nothing',
      [
        { role: 'assistant', content: null, refusal: 'No.' },
        { role: 'assistant', content: null },
      ],
      [
        {
          type: 'message',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'refusal', refusal: 'No.' }],
        },
        { type: 'message', role: 'assistant', status: 'completed', content: [] },
      ],
    ],
    [
      'what is hardly in chat form',
      [
        { role: 'assistant', tool_calls: [{ id: 'c1', type: 'function' }] },
        { role: 'user', content: [{ type: 'image_url' }] },
      ],
      [
        {
          type: 'function_call',
          callId: 'c1',
          name: 'function',
          arguments: '{"id":"c1","type":"function"}',
          status: 'completed',
        },
        { type: 'message', role: 'user', content: [{ type: 'input_text', text: '{"type":"image_url"}' }] },
      ],
    ],
  ])('is read as the items that say the same: %s', (_, messages, items) => {
    expect(toItems(messages as Message[])).toEqual(items)
  })
})

describe('items that were cut off from those before them', () => {
  const program = { caller: { type: 'program', callerId: 'p1' } }
  const approval = (name: string, providerData: object) => ({ type: 'hosted_tool_call', name, providerData })
  it.each<[what: string, call: object, result: object]>([
    [
      'of a function',
      { type: 'function_call', callId: 'c1' },
      { type: 'function_call_result', callId: 'c1' },
    ],
    [
      'of a computer',
      { type: 'computer_call', callId: 'c1' },
      { type: 'computer_call_result', callId: 'c1' },
    ],
    ['of a shell', { type: 'shell_call', callId: 'c1' }, { type: 'shell_call_output', callId: 'c1' }],
    [
      'of a patch',
      { type: 'apply_patch_call', callId: 'c1' },
      { type: 'apply_patch_call_output', callId: 'c1' },
    ],
    ['of a program', { type: 'program', callId: 'p1' }, { type: 'program_output', callId: 'p1' }],
    [
      'within a program',
      { type: 'program', callId: 'p1' },
      { type: 'function_call', callId: 'c1', ...program },
    ],
    [
      'of a search for tools',
      { type: 'tool_search_call', call_id: 's1' },
      { type: 'tool_search_output', callId: 's1' },
    ],
    [
      'of a search for tools that OpenAI runs',
      { type: 'tool_search_call', call_id: null, id: 'tsc_1' },
      { type: 'tool_search_output', call_id: null, id: 'tso_1' },
    ],
    [
      'that asks for approval',
      approval('mcp_approval_request', { id: 'r1' }),
      approval('mcp_approval_response', { approval_request_id: 'r1' }),
    ],
  ])('are without the result of a call %s that is not there', (_, call, result) => {
    const [before, between] = [ITEMS['a question']!, ITEMS['an answer']!]
    const items = [before, call, between, result, before] as AgentInputItem[]
    expect(withoutOrphans(items)).toEqual(items)
    expect(withoutOrphans(items.slice(2))).toEqual([between, before])
    expect(withoutOrphans([result, call] as AgentInputItem[])).toEqual([call])
  })

  it('are without what a call gave that a program made which is not there', () => {
    const call = { type: 'function_call', callId: 'c1', ...program }
    const result = { type: 'function_call_result', callId: 'c1' }
    expect(withoutOrphans([call, result] as AgentInputItem[])).toEqual([])
  })

  it('keep as many unnamed outputs of searches as there are searches', () => {
    const [search, output] = [{ type: 'tool_search_call' }, { type: 'tool_search_output' }]
    expect(withoutOrphans([search, output, output] as AgentInputItem[])).toEqual([search, output])
  })

  it('keep calls of which no result is there, and two results of one call', () => {
    const items = [
      ITEMS['a call'],
      ITEMS['a result'],
      ITEMS['a result'],
      ITEMS['a shell call'],
    ] as AgentInputItem[]
    expect(withoutOrphans(items)).toEqual(items)
  })
})

/** What is read back from a database. */
function stored(messages: readonly Message[]): Message[] {
  return JSON.parse(JSON.stringify(messages)) as Message[]
}

/** A copy with the keys of all objects in the opposite order. */
function backwards(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  if (Array.isArray(value)) return value.map(backwards)
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, entry]) => [key, backwards(entry)]),
  )
}
