import { finishReasonOf, usageOf, wantsUsage, type Endpoint, type Reply } from './endpoint.ts'
import { words } from './pieces.ts'
import { RequestError } from './request-error.ts'

/** `POST /v1/completions`: a prompt in, a text out. */
export const completions: Endpoint = {
  api: 'completions',

  messagesOf({ prompt }) {
    if (typeof prompt !== 'string')
      throw new RequestError(400, 'missing_prompt', 'The body has no prompt that is one text.', 'prompt')
    return [{ role: 'user', content: prompt }]
  },

  whole(reply) {
    return {
      ...head(reply),
      choices: [choice(textOf(reply), finishReasonOf(reply.answer))],
      usage: usageOf(reply.answer),
    }
  },

  *events(reply) {
    const usage = wantsUsage(reply.body) ? usageOf(reply.answer) : undefined
    const chunk = (choices: object[], used: object | null) => ({
      data: { ...head(reply), choices, ...(usage && { usage: used }) },
    })

    for (const piece of words(textOf(reply))) yield chunk([choice(piece, null)], null)
    yield chunk([choice('', finishReasonOf(reply.answer))], null)
    if (usage) yield chunk([], usage)
    yield { data: '[DONE]' }
  },
}

function choice(text: string, finishReason: string | null) {
  return { index: 0, text, logprobs: null, finish_reason: finishReason }
}

function textOf({ answer: { content, refusal } }: Reply): string {
  return content ?? refusal ?? ''
}

function head({ id, createdAt, model }: Reply) {
  return { id: `cmpl-${id}`, object: 'text_completion', created: createdAt, model }
}
