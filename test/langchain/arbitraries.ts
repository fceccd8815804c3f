import {
  AIMessage,
  ChatMessage,
  FunctionMessage,
  HumanMessage,
  RemoveMessage,
  SystemMessage,
  ToolMessage,
  type BaseMessage,
  type MessageContent,
} from '@langchain/core/messages'
import * as fc from 'fast-check'
import { HOSTILE } from '../support/texts.ts'

const text = fc.oneof(fc.string(), fc.constantFrom(...HOSTILE))
/** Through JSON, as it holds no -0; with a key that LangChain takes for a mark of its own. */
const object = fc
  .oneof(
    fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
    fc.constantFrom({ lc: 1 }, { tool: { lc: 1, type: 'constructor' } }, { __openai_role__: 'developer' }),
  )
  .map((value) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>)

const media = fc.constantFrom(
  { type: 'image_url', image_url: { url: 'https://example.com/cat.png', detail: 'low' } },
  { type: 'image_url', image_url: 'https://example.com/cat.png' },
  { type: 'image', url: 'https://example.com/cat.png' },
  { type: 'image', data: 'QQ==', mimeType: 'image/png' },
  { type: 'image', source_type: 'base64', data: 'QQ==', mime_type: 'image/png' },
  { type: 'image', source: { type: 'base64', data: 'QQ==', media_type: 'image/png' } },
  { type: 'audio', data: 'QQ==', mimeType: 'audio/mpeg' },
  { type: 'file', fileId: 'file-1' },
  { type: 'file', file: { file_id: 'file-1' } },
  { type: 'video', url: 'https://example.com/cat.mp4' },
)
const textBlock = fc.record({ type: fc.constant('text'), text })
const thought = fc.record({ type: fc.constant('reasoning'), reasoning: text })
const cached = fc.record({ type: fc.constant('text'), text, cache_control: object })
const foreign = object.map((value) => ({ ...value, type: 'non_standard' }))

function content(...blocks: fc.Arbitrary<object>[]): fc.Arbitrary<MessageContent> {
  const list = fc.array(fc.oneof(textBlock, cached, foreign, ...blocks), { maxLength: 3 })
  return fc.oneof(text, list as fc.Arbitrary<MessageContent>)
}

const call = fc.record(
  { name: text, args: object, id: text, type: fc.constant('tool_call'), isCustomTool: fc.boolean() },
  { requiredKeys: ['name', 'args'] },
)
const brokenCall = fc.record(
  { name: text, args: text, id: text, error: text, type: fc.constant('invalid_tool_call') },
  { requiredKeys: [] },
)
const usage = fc.record({ input_tokens: fc.nat(), output_tokens: fc.nat(), total_tokens: fc.nat() })

/** What any message may have. */
const extras = { id: text, name: text, additional_kwargs: object, response_metadata: object }

/** What a constructor takes; as `never`, since each wants a type of its own. */
function fields(
  needed: Record<string, fc.Arbitrary<unknown>>,
  optional: Record<string, fc.Arbitrary<unknown>> = {},
): fc.Arbitrary<never> {
  const model: Record<string, fc.Arbitrary<unknown>> = { ...extras, ...optional, ...needed }
  return fc.record(model, { requiredKeys: Object.keys(needed) }) as fc.Arbitrary<never>
}

/** Messages of every kind that LangChain has, with what a host or a provider may have put into them. */
export const anyMessage: fc.Arbitrary<BaseMessage> = fc.oneof(
  fields({ content: content(media) }).map((given) => new HumanMessage(given)),
  fields(
    { content: content(thought) },
    {
      tool_calls: fc.array(call, { maxLength: 2 }),
      invalid_tool_calls: fc.array(brokenCall, { maxLength: 2 }),
      usage_metadata: usage,
    },
  ).map((given) => new AIMessage(given)),
  fc
    .array(fc.oneof(textBlock, thought, call), { maxLength: 2 })
    .map((blocks) => new AIMessage({ contentBlocks: blocks as never })),
  fields({ content: content() }).map((given) => new SystemMessage(given)),
  fields(
    { content: content(media), tool_call_id: text },
    { status: fc.constantFrom('success', 'error'), artifact: object, metadata: object },
  ).map((given) => new ToolMessage(given)),
  fields({ content: text, name: text }).map((given) => new FunctionMessage(given)),
  fields({ content: content(), role: fc.constantFrom('user', 'critic', 'tool', 'system') }).map(
    (given) => new ChatMessage(given),
  ),
  text.map((id) => new RemoveMessage({ id })),
  // What a host sets later, LangChain's own form for storing does not have.
  fc
    .tuple(text, text, usage)
    .map(([said, name, counted]) =>
      Object.assign(new AIMessage(said), { name, id: 'later', usage_metadata: counted }),
    ),
)
