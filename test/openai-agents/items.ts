import type { AgentInputItem } from '@openai/agents-core'
import * as fc from 'fast-check'

/** One item of every kind that the SDK's protocol has, as its runs and its providers make them. */
export const ITEMS: Readonly<Record<string, AgentInputItem>> = {
  'a question': { type: 'message', role: 'user', content: 'How cold is it in Oslo?' },
  'a question without a type': { role: 'user', content: 'And in Rome?', id: 'msg_0' },
  'a question in parts': {
    type: 'message',
    role: 'user',
    content: [
      { type: 'input_text', text: 'What is ' },
      { type: 'input_text', text: 'this?', providerData: { cache: true } },
    ],
  },
  'an image by address': {
    role: 'user',
    content: [{ type: 'input_image', image: 'https://example.com/cat.png', detail: 'low' }],
  },
  'an image by id': { role: 'user', content: [{ type: 'input_image', image: { id: 'file_1' } }] },
  'a file, a recording and a file by id': {
    role: 'user',
    content: [
      { type: 'input_file', file: 'data:text/plain;base64,aGk=', filename: 'hi.txt' },
      { type: 'audio', audio: 'aGk=', format: 'mp3', transcript: 'hi' },
      { type: 'input_file', file: { id: 'file_2' } },
      { type: 'input_file', file: { url: 'https://example.com/hi.txt' } },
    ],
  },
  instructions: { type: 'message', role: 'system', content: 'Be brief.' },
  'an answer': {
    type: 'message',
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'output_text', text: '-3 °C.' }],
  },
  'an answer as a provider gives it': {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    status: 'completed',
    phase: 'final_answer',
    content: [
      { type: 'output_text', text: 'It is ', providerData: { annotations: [], logprobs: [] } },
      { type: 'output_text', text: '-3 °C.' },
    ],
    providerData: { model: 'm', nested: { list: [1, null, 'x', { y: true }] } },
  },
  'a refusal': {
    type: 'message',
    role: 'assistant',
    status: 'incomplete',
    content: [{ type: 'refusal', refusal: 'No.' }],
  },
  'a spoken answer with an image': {
    type: 'message',
    role: 'assistant',
    status: 'completed',
    content: [
      { type: 'audio', audio: { id: 'audio_1' }, transcript: 'hi' },
      { type: 'image', image: 'aGk=' },
    ],
  },
  'an empty answer': { type: 'message', role: 'assistant', status: 'completed', content: [] },
  'reasoning that is told': {
    type: 'reasoning',
    id: 'rs_1',
    content: [{ type: 'input_text', text: 'Look up the weather.' }],
    providerData: { encrypted_content: 'gAAAAB' },
  },
  'reasoning that is not told': {
    type: 'reasoning',
    content: [],
    providerData: { encrypted_content: 'gAAAAB' },
  },
  'raw reasoning': {
    type: 'reasoning',
    content: [{ type: 'input_text', text: 'Short.' }],
    rawContent: [{ type: 'reasoning_text', text: 'Long.' }],
  },
  'a call': {
    type: 'function_call',
    callId: 'call_1',
    name: 'weather',
    arguments: '{"city":"Oslo"}',
    status: 'completed',
  },
  'a call in a namespace': {
    type: 'function_call',
    callId: 'call_2',
    name: 'weather',
    namespace: 'world',
    arguments: '',
    caller: { type: 'program', callerId: 'program_1' },
    providerData: {},
  },
  'a result': {
    type: 'function_call_result',
    callId: 'call_1',
    name: 'weather',
    status: 'completed',
    output: { type: 'text', text: '{"celsius":-3}' },
  },
  'a result that is a string': {
    type: 'function_call_result',
    callId: 'call_1',
    name: 'weather',
    status: 'incomplete',
    output: 'none',
  },
  'a result in parts': {
    type: 'function_call_result',
    callId: 'call_1',
    name: 'camera',
    status: 'completed',
    output: [
      { type: 'input_text', text: 'Here:' },
      { type: 'input_image', image: 'data:image/png;base64,aGk=' },
    ],
  },
  'a result with bytes': {
    type: 'function_call_result',
    callId: 'call_1',
    name: 'camera',
    status: 'completed',
    output: { type: 'image', image: { data: Uint8Array.of(0, 255, 128), mediaType: 'image/png' } },
    providerData: {
      bytes: Uint8Array.of(),
      $bytes: 'AA==',
      alone: { $bytes: 'AA==' },
      twice: { $$bytes: [1] },
    },
  },
  'a computer call': {
    type: 'computer_call',
    callId: 'call_3',
    id: 'cu_1',
    status: 'completed',
    action: { type: 'click', x: 1, y: 2, button: 'left' },
  },
  'a screenshot': {
    type: 'computer_call_result',
    callId: 'call_3',
    output: { type: 'computer_screenshot', data: 'data:image/png;base64,aGk=', providerData: { scale: 2 } },
  },
  'a shell call': {
    type: 'shell_call',
    callId: 'call_4',
    status: 'completed',
    action: { commands: ['ls'], timeoutMs: 10 },
  },
  'what a shell gave': {
    type: 'shell_call_output',
    callId: 'call_4',
    output: [{ stdout: 'a\n', stderr: '', outcome: { type: 'exit', exitCode: 0 } }],
  },
  'a patch': {
    type: 'apply_patch_call',
    callId: 'call_5',
    status: 'completed',
    operation: { type: 'delete_file', path: '/tmp/a' },
  },
  'what a patch gave': { type: 'apply_patch_call_output', callId: 'call_5', status: 'failed', output: 'no' },
  'a hosted call': {
    type: 'hosted_tool_call',
    id: 'ws_1',
    name: 'web_search_call',
    status: 'completed',
    providerData: { type: 'web_search_call', action: { query: 'Oslo' } },
  },
  'a search for tools': {
    type: 'tool_search_call',
    arguments: { paths: ['a'] },
    execution: 'server',
    call_id: null,
  },
  'the tools found': {
    type: 'tool_search_output',
    tools: [{ name: 'a' }],
    execution: 'server',
    call_id: null,
  },
  'a program': { type: 'program', callId: 'program_1', code: 'weather()', fingerprint: 'f' },
  'what a program gave': {
    type: 'program_output',
    callId: 'program_1',
    output: '-3',
    status: 'completed',
  },
  'a compaction': { type: 'compaction', encrypted_content: 'gAAAAB', id: 'cmp_1', created_by: 'openai' },
  'an item of a kind that the SDK does not know': {
    type: 'unknown',
    providerData: { type: 'brand_new', role: 'user' },
  },
}

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.constantFrom('', '\0', '\ud800', '<|endoftext|>', '{"$bytes":"AA=="}'),
)
const id = fc.constantFrom('call_1', 'call_2', 'call_3')
const status = fc.constantFrom('completed', 'in_progress', 'incomplete')
const providerData = fc.dictionary(
  fc.oneof(fc.constantFrom('$bytes', '$$bytes', '__proto__', 'type', 'content'), fc.string({ maxLength: 3 })),
  fc.oneof(
    text,
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 4 }),
    fc.array(text),
  ),
  { maxKeys: 2 },
)
const extra = { id: text, providerData }

/** Any item, of any of the kinds that have a form of their own, valid in the SDK's eyes. */
export const anyItem: fc.Arbitrary<AgentInputItem> = fc.oneof(
  fc.record(
    {
      type: fc.constant('message'),
      role: fc.constant('user'),
      content: fc.oneof(
        text,
        fc.array(fc.record({ type: fc.constant('input_text'), text }), { maxLength: 3 }),
      ),
      ...extra,
    },
    { requiredKeys: ['role', 'content'] },
  ),
  fc.record(
    {
      type: fc.constant('message'),
      role: fc.constant('assistant'),
      status,
      content: fc.array(
        fc.oneof(
          fc.record(
            { type: fc.constant('output_text'), text, providerData },
            { requiredKeys: ['type', 'text'] },
          ),
          fc.record({ type: fc.constant('refusal'), refusal: text }),
        ),
        { maxLength: 3 },
      ),
      ...extra,
    },
    { requiredKeys: ['role', 'status', 'content'] },
  ),
  fc.record(
    { type: fc.constant('function_call'), callId: id, name: text, arguments: text, status, ...extra },
    { requiredKeys: ['type', 'callId', 'name', 'arguments'] },
  ),
  fc.record(
    {
      type: fc.constant('function_call_result'),
      callId: id,
      name: text,
      status,
      output: fc.oneof(
        text,
        fc.record({ type: fc.constant('text'), text }),
        fc.array(fc.record({ type: fc.constant('input_text'), text, providerData }), { maxLength: 2 }),
      ),
      ...extra,
    },
    { requiredKeys: ['type', 'callId', 'name', 'status', 'output'] },
  ),
  fc.record(
    {
      type: fc.constant('reasoning'),
      content: fc.array(fc.record({ type: fc.constant('input_text'), text }), { maxLength: 2 }),
      ...extra,
    },
    { requiredKeys: ['type', 'content'] },
  ),
  fc.record(
    { type: fc.constant('hosted_tool_call'), name: text, status: text, output: text, ...extra },
    { requiredKeys: ['type', 'name'] },
  ),
  fc.constantFrom(...Object.values(ITEMS)),
) as fc.Arbitrary<AgentInputItem>
