import * as fc from 'fast-check'
import type { ModelMessage, UIMessage } from 'ai'

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    '',
    '\0',
    '\ud800',
    '\ufeff',
    '<|endoftext|>',
    '{"a":1}',
    '[1, 2]',
    '7',
    '😀',
    'long '.repeat(30),
  ),
)
const id = fc.string({ minLength: 1, maxLength: 8 })
const name = fc.constantFrom('weather', 'wait', 'search')
/** As JSON gives it back, which has no negative zero. */
const json = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)) as never)
const fields = fc.dictionary(fc.constantFrom('a', '$text', '$bytes', '$$url', '__proto__'), json, {
  noNullPrototype: true,
})
const bytes = fc.uint8Array({ minLength: 1, maxLength: 60 }).map((value) => Uint8Array.from(value))
/** What JSON alone would change. */
const rich = fc.oneof(
  json,
  fields,
  plain({
    at: fc.date({ noInvalidDate: true }),
    raw: bytes,
    deep: fields,
    link: fc.constant(new URL('https://a.b/c?d#e')),
  }),
)
const providerOptions = plain({ mock: plain({ itemId: id, more: fields }) })
const own = { providerOptions }
const link = fc.constantFrom(
  'https://example.com/cat.png',
  `data:image/png;base64,${'iVBORw0KGgo'.repeat(9)}`,
)
const mediaType = fc.constantFrom(
  'image/png',
  'image/*',
  'image',
  'audio/wav',
  'audio/mpeg',
  'application/pdf',
)
const data = fc.oneof(
  link,
  link.map((url) => new URL(url)),
  fc.constant('iVBORw0KGgo'),
  bytes,
  bytes.map((value) => Buffer.from(value)),
  bytes.map((value) => value.buffer),
  plain({ type: fc.constant('data'), data: bytes }),
  plain({ type: fc.constant('url'), url: link.map((url) => new URL(url)) }),
  plain({ type: fc.constant('reference'), reference: plain({ openai: id }) }),
  plain({ type: fc.constant('text'), text }),
)

const textPart = part('text', { text }, own)
const filePart = part('file', { data, mediaType }, { filename: text, ...own })
const imagePart = part(
  'image',
  {
    image: fc.oneof(
      link,
      bytes,
      link.map((url) => new URL(url)),
    ),
  },
  { mediaType, ...own },
)
const callPart = part(
  'tool-call',
  { toolCallId: id, toolName: name, input: json },
  { providerExecuted: fc.boolean(), ...own },
)
const output = fc.oneof(
  part('text', { value: text }),
  part('json', { value: json }, own),
  part('error-text', { value: text }),
  part('error-json', { value: json }),
  part('execution-denied', {}, { reason: text }),
  part('content', { value: fc.array(fc.oneof(textPart, part('file-url', { url: link })), { maxLength: 2 }) }),
)
const resultPart = part('tool-result', { toolCallId: id, toolName: name, output }, own)
const requestPart = part('tool-approval-request', { approvalId: id, toolCallId: id }, { reason: text })
const responsePart = part(
  'tool-approval-response',
  { approvalId: id, approved: fc.boolean() },
  { reason: text },
)
const reasoningPart = part('reasoning', { text }, own)
const reasoningFile = part('reasoning-file', { data: bytes, mediaType }, own)
const customPart = part('custom', { kind: fc.constant('mock.note') }, own)

/** Any model message that ai 7 takes, sensible or not. */
export const anyModelMessage = fc.oneof(
  sentMessage('system', text),
  sentMessage('user', fc.oneof(text, list(textPart, textPart, filePart, imagePart))),
  sentMessage('assistant', fc.oneof(text, list(textPart, callPart, reasoningPart, filePart, resultPart))),
  sentMessage('assistant', list(textPart, callPart, requestPart, reasoningFile, customPart)),
  sentMessage('tool', list(resultPart, resultPart, responsePart)),
) as fc.Arbitrary<ModelMessage>

/** A turn as a model and its tools make it: a question, steps with calls, all of them answered, and an answer. */
export const sensibleTurn: fc.Arbitrary<ModelMessage[]> = plain({
  question: sentMessage('user', fc.oneof(text, list(textPart, filePart))),
  steps: fc.array(
    plain({
      before: fc.array(fc.oneof(textPart, reasoningPart), { maxLength: 2 }),
      calls: fc.uniqueArray(callPart, {
        minLength: 1,
        maxLength: 3,
        selector: ({ toolCallId }) => toolCallId,
      }),
      between: fc.option(reasoningPart, { nil: undefined }),
      outputs: fc.array(output, { minLength: 3, maxLength: 3 }),
    }),
    { maxLength: 3 },
  ),
  answer: sentMessage('assistant', fc.oneof(text, list(textPart, reasoningPart))),
}).map(({ question, steps, answer }) => {
  const done = steps.flatMap(({ before, calls, between, outputs }) => [
    { role: 'assistant', content: [...before, calls[0], ...(between ? [between] : []), ...calls.slice(1)] },
    {
      role: 'tool',
      content: calls.map(({ toolCallId, toolName }, index) => ({
        type: 'tool-result',
        toolCallId,
        toolName,
        output: outputs[index],
      })),
    },
  ])
  return [question, ...done, answer] as ModelMessage[]
})

const providerMetadata = { providerMetadata: providerOptions }
const call = { toolCallId: id, input: rich }
const approval = plain({ id, approved: fc.constant(true) })
const denial = plain({ id, approved: fc.constant(false), reason: text })
const toolStates = (type: string, named: object) =>
  fc.oneof(
    part(type, { ...named, ...call, state: fc.constant('input-available') }),
    part(type, { ...named, toolCallId: id, state: fc.constant('input-streaming') }, { input: rich }),
    part(type, { ...named, ...call, state: fc.constant('approval-requested'), approval: plain({ id }) }),
    part(
      type,
      { ...named, ...call, state: fc.constant('output-available'), output: rich },
      { approval, title: text },
    ),
    part(
      type,
      { ...named, ...call, state: fc.constant('output-error'), errorText: text },
      { providerExecuted: fc.boolean() },
    ),
    part(type, { ...named, ...call, state: fc.constant('output-denied'), approval: denial }),
  )
const shownText = part('text', { text }, { state: fc.constantFrom('done', 'streaming'), ...providerMetadata })
const shownFile = part('file', { url: link, mediaType }, { filename: text, ...providerMetadata })
const anyPart = fc.oneof(
  fc.constant({ type: 'step-start' }),
  shownText,
  shownFile,
  part('reasoning', { text }, providerMetadata),
  part('source-url', { sourceId: id, url: link }, { title: text }),
  part('source-document', { sourceId: id, mediaType, title: text }),
  part('custom', { kind: fc.constant('mock.note') }),
  part('data-weather', { data: rich }, { id }),
  part('steering-message', { id, parts: list(shownText) }),
  toolStates('tool-weather', {}),
  toolStates('dynamic-tool', { toolName: name }),
)

/** UI messages that ai 7 takes, sensible or not, each with an id of its own. */
export const anyUIMessages = fc.uniqueArray(
  fc.oneof(
    shown('system', fc.array(shownText, { minLength: 1, maxLength: 2 })),
    shown(
      'user',
      fc.array(fc.oneof(shownText, shownFile, part('data-weather', { data: rich })), {
        minLength: 1,
        maxLength: 3,
      }),
    ),
    shown('assistant', fc.array(anyPart, { minLength: 1, maxLength: 5 })),
  ),
  { minLength: 1, maxLength: 6, selector: (message) => (message as UIMessage).id },
) as fc.Arbitrary<UIMessage[]>

function part(
  type: string,
  required: object,
  optional: object = {},
): fc.Arbitrary<{ toolCallId: string; toolName: string }> {
  const all = { type: fc.constant(type), ...required, ...optional }
  return fc.record(all, {
    requiredKeys: ['type', ...Object.keys(required)] as never,
    noNullPrototype: true,
  }) as never
}

function list(...parts: fc.Arbitrary<object>[]): fc.Arbitrary<object[]> {
  return fc.array(fc.oneof(...parts), { minLength: 1, maxLength: 4 })
}

function sentMessage(role: string, content: fc.Arbitrary<unknown>): fc.Arbitrary<object> {
  const all = { role: fc.constant(role), content, providerOptions }
  return fc.record(all, { requiredKeys: ['role', 'content'], noNullPrototype: true })
}

function shown(role: string, parts: fc.Arbitrary<object[]>): fc.Arbitrary<object> {
  const all = { id, role: fc.constant(role), parts, metadata: rich }
  return fc.record(all, { requiredKeys: ['id', 'role', 'parts'], noNullPrototype: true })
}

/** With the prototype that all objects have: JSON knows no other. */
function plain<T>(entries: { [Name in keyof T]: fc.Arbitrary<T[Name]> }): fc.Arbitrary<T> {
  return fc.record(entries, { noNullPrototype: true }) as fc.Arbitrary<T>
}
