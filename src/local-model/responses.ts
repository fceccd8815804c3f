import { finishReasonOf, type Endpoint, type Reply } from './endpoint.ts'
import { messagesOfInput } from './responses-input.ts'
import { itemEvents, itemsOf, type Item } from './responses-items.ts'

/** `POST /v1/responses`. Nothing is kept: a request carries all that its answer is made from. */
export const responses: Endpoint = {
  api: 'responses',
  messagesOf: messagesOfInput,

  whole(reply) {
    const end = endOf(reply)
    return response(reply, end, itemsOf(reply, end.status))
  },

  *events(reply) {
    let sequence = 0
    for (const { type, ...fields } of happenings(reply))
      yield { event: type, data: { type, ...fields, sequence_number: sequence++ } }
  },
}

/** How a response stands. */
interface State {
  readonly status: 'in_progress' | 'completed' | 'incomplete'
  readonly incomplete_details: { readonly reason: string } | null
}

/** The events of a response, before they are numbered. */
function* happenings(reply: Reply) {
  const end = endOf(reply)
  const items = itemsOf(reply, end.status)
  const begun = response(reply, { status: 'in_progress', incomplete_details: null }, [])
  yield { type: 'response.created', response: begun }
  yield { type: 'response.in_progress', response: begun }
  for (const [index, item] of items.entries()) yield* itemEvents(item, index)
  yield { type: `response.${end.status}`, response: response(reply, end, items) }
}

function response({ id, createdAt, model, body, answer }: Reply, state: State, output: readonly Item[]) {
  const { usage } = answer
  return {
    id: `resp_${id}`,
    object: 'response',
    created_at: createdAt,
    model,
    ...state,
    error: null,
    output,
    instructions: body['instructions'] ?? null,
    max_output_tokens: body['max_output_tokens'] ?? null,
    metadata: body['metadata'] ?? {},
    parallel_tool_calls: true,
    previous_response_id: null,
    store: false,
    temperature: body['temperature'] ?? null,
    tool_choice: body['tool_choice'] ?? 'auto',
    tools: body['tools'] ?? [],
    top_p: body['top_p'] ?? null,
    usage: usage === undefined || state.status === 'in_progress' ? null : usageOf(usage),
  }
}

/** The words that this endpoint has for why an answer ended. */
function endOf({ answer }: Reply): State {
  switch (finishReasonOf(answer)) {
    case 'length':
      return { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } }
    case 'content_filter':
      return { status: 'incomplete', incomplete_details: { reason: 'content_filter' } }
    default:
      return { status: 'completed', incomplete_details: null }
  }
}

function usageOf({ inputTokens, outputTokens }: NonNullable<Reply['answer']['usage']>) {
  return {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: inputTokens + outputTokens,
  }
}
