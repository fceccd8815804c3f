import { contentText } from '../../tokens/render.ts'
import type { Message } from '../../types.ts'
import { readChoice, readOnlyChoice } from './choice.ts'
import type { Endpoint } from './endpoint.ts'

/** Completions: the prompt goes in as it is, and the model writes on. The seed's own. No tools. */
export const completions: Endpoint = {
  of: (client) => client.completions,
  body: ({ model, opening, maxOutputTokens }) => ({
    model,
    prompt: promptOf(opening),
    ...(maxOutputTokens === undefined ? {} : { max_tokens: maxOutputTokens }),
  }),
  count: ({ opening }, encoder) => encoder.count(promptOf(opening)),
  readWhole(reply, answer) {
    reply.text = readOnlyChoice(reply, answer)?.text ?? ''
  },
  readPiece(reply, piece) {
    const text = readChoice(reply, piece)?.text ?? ''
    reply.text += text
    return text
  },
}

/** The prompt below the system message, where there is one: this endpoint takes one text. */
function promptOf(opening: readonly Message[]): string {
  return opening.map(contentText).join('\n\n')
}
