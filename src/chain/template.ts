import { InvalidArgumentError } from '../errors.ts'
import { kindOf } from '../redact.ts'

/** A prompt with places for the history and the input. */
export interface Template {
  fill(history: string, input: string): string
}

/** LangChain's conversation template. Source: `ConversationChain`'s default prompt, in its Python and JavaScript versions. */
export function conversationTemplate(humanPrefix: string, aiPrefix: string): Template {
  return {
    fill: (history, input) =>
      'The following is a friendly conversation between a human and an AI. The AI is talkative and provides lots of ' +
      'specific details from its context. If the AI does not know the answer to a question, it truthfully says it ' +
      `does not know.\n\nCurrent conversation:\n${history}\n${humanPrefix}: ${input}\n${aiPrefix}:`,
  }
}

/**
 * A template of the caller's: `{history}` and `{input}`, by whatever names the memory knows them, each at least once;
 * `{{` and `}}` stand for braces.
 *
 * @throws {InvalidArgumentError} for other names, a lone brace, or one of the two missing.
 */
export function parseTemplate(text: unknown, historyKey: string, inputKey: string): Template {
  if (typeof text !== 'string') {
    throw new InvalidArgumentError(`prompt must be a string; got ${kindOf(text)}.`)
  }
  const parts = text.split(/(\{\{|\}\}|\{[^{}]*\}|[{}])/)
  for (const name of [historyKey, inputKey]) {
    if (!parts.includes(`{${name}}`)) throw new InvalidArgumentError(`prompt has no place for {${name}}.`)
  }
  const pieces = parts.map((part, index) => {
    if (index % 2 === 0) return () => part
    if (part === '{{' || part === '}}') return () => part.charAt(0)
    if (part === `{${historyKey}}`) return (history: string) => history
    if (part === `{${inputKey}}`) return (_: string, input: string) => input
    throw new InvalidArgumentError(
      `prompt may hold {${historyKey}} and {${inputKey}}, and braces as {{ and }}; it holds something else in braces.`,
    )
  })
  return { fill: (history, input) => pieces.map((piece) => piece(history, input)).join('') }
}
