import type { Message, ToolCall, UserPart } from '../types.ts'
import type { Random } from './random.ts'

/** Pieces that broke a tokenizer, a database or a renderer before. All short: js-tiktoken is quadratic on a run. */
export const HOSTILE = [
  ...['\ud800', '\udfff', 'a\ud83d', '\0', 'x\0y', '\ufeff', '\u0085', "'\u017f", 'do\u017f', '\ufffd'],
  ...[
    '\r\n',
    '\r',
    '\n',
    '\n\n',
    ' \n',
    '\n ',
    ' ',
    '  ',
    '\t',
    '\u2028',
    '\u00a0',
    '\u3000',
    'x  ',
    'end\n',
  ],
  ...[
    '<|endoftext|>',
    '<|im_start|>',
    '\nAI: no',
    '\nHuman: yes',
    'Human:',
    '\nTool: ',
    'System: x',
    '/',
    '\n/',
  ],
  ...['+-+-+-+-', '+-', '--------', '...', '\\', '\\u0000', '"', "we'r", "'ll", '}\n', '%', '$1', '?', ';--'],
  ...[
    '中文字符',
    '日本語',
    '한국어',
    '😀',
    '👩‍👩‍👧',
    '🇩🇪',
    'e\u0301',
    '\u0301',
    '\u200d',
    'مرحبا',
    'हिन्दी',
    'İ',
    'ß',
  ],
  ...[
    'hello',
    ' world',
    'Hi there!',
    '12345',
    '3.14',
    ' JSON',
    'iOS',
    'aaaaaaaa',
    '{"a":1}',
    '[image]',
    'null',
  ],
] as const

/** A turn of one message. */
export function said(content: string): Message[] {
  return [{ role: 'user', content }]
}

/** Up to six pieces one after the other; one text in eight is empty. */
export function hostileText(random: Random): string {
  if (random.below(8) === 0) return ''
  return Array.from({ length: 1 + random.below(6) }, () => random.pick(HOSTILE)).join('')
}

/** A turn: mostly a question and its answer, now and then one with other roles, content parts or tool calls. */
export function hostileTurn(random: Random): Message[] {
  const text = () => hostileText(random)
  const plain = (): Message[] => [
    { role: 'user', content: text() },
    { role: 'assistant', content: text() },
  ]
  switch (random.below(10)) {
    case 0:
      return [{ role: random.pick(['system', 'developer']), content: text() }, ...plain()]
    case 1:
      return [
        { role: 'user', name: 'ada', content: parts(random) },
        {
          role: 'assistant',
          content: [
            { type: 'text', text: text() },
            { type: 'refusal', refusal: text() },
          ],
        },
      ]
    case 2:
    case 3:
      return toolTurn(random)
    case 4:
      return [
        random.pick<Message>([
          { role: 'user', content: text() },
          { role: 'assistant', content: null },
        ]),
      ]
    default:
      return plain()
  }
}

function parts(random: Random): UserPart[] {
  return Array.from({ length: random.below(4) }, () =>
    random.pick<UserPart>([
      { type: 'text', text: hostileText(random) },
      { type: 'image_url', image_url: { url: 'https://example.com/a.png', detail: 'low' } },
      { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } },
      { type: 'file', file: { file_id: 'file-1' } },
    ]),
  )
}

/** A question, calls, a result for each of them, and an answer: a model refuses a history that holds only a part. */
export function toolTurn(random: Random): Message[] {
  const calls = Array.from({ length: 1 + random.below(2) }, (_, index): ToolCall => {
    const id = `call_${index}`
    return random.below(4) === 0
      ? { id, type: 'custom', custom: { name: 'run', input: hostileText(random) } }
      : {
          id,
          type: 'function',
          function: { name: 'look_up', arguments: JSON.stringify({ q: hostileText(random) }) },
        }
  })
  return [
    { role: 'user', content: hostileText(random) },
    { role: 'assistant', content: random.pick([null, hostileText(random)]), tool_calls: calls },
    ...calls.map(({ id }): Message => ({ role: 'tool', tool_call_id: id, content: hostileText(random) })),
    { role: 'assistant', content: hostileText(random) },
  ]
}
