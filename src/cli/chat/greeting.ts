import { renderText } from '../../tokens/render.ts'
import { abridged, counted, faint } from '../print.ts'
import type { ChatModel } from './model.ts'
import type { Person } from './person.ts'
import type { Chat } from './reply.ts'

/** How many of the newest turns stand at the beginning. */
const NEWEST = 2

/** Columns where there is no terminal to ask. */
const COLUMNS = 100

/** Says where the conversation stands, how it last went, and who answers. */
export async function greet(
  { chain: { memory } }: Chat,
  model: ChatModel,
  { isAtTerminal, notes }: Person,
  signal: AbortSignal,
): Promise<void> {
  const { conversation } = memory
  // A window that holds nothing leaves out all turns: the totals, in one statement.
  const { omittedTurns, omittedTokens } = await conversation.loadWindow({ maxTokens: 0, signal })
  const which = `${abridged(conversation.userId, 40)}, ${abridged(conversation.conversationId, 40)}`
  const stands =
    omittedTurns === 0
      ? 'a new conversation'
      : `${counted(omittedTurns, 'turn')}, ${counted(omittedTokens, 'token')}`
  notes.write(`${which}: ${stands}.\n${whoAnswers(model)}\n`)
  if (!isAtTerminal) return
  const turns = await conversation.listTurns({ before: Number.MAX_SAFE_INTEGER, limit: NEWEST, signal })
  for (const message of turns.flatMap(({ messages }) => messages)) {
    const line = abridged(renderText([message], memory.framing), (notes.columns ?? COLUMNS) - 2)
    notes.write(`  ${faint(line, notes)}\n`)
  }
  notes.write('/help says what else there is.\n\n')
}

function whoAnswers({ name, host, isLocal }: ChatModel): string {
  if (!isLocal) return `${name}${host === undefined ? '' : ` at ${host}`} answers.`
  return (
    `There is no OPENAI_API_KEY, so ${name} answers: a small program,\n` +
    'no language model, that knows only the messages that it is sent.'
  )
}
