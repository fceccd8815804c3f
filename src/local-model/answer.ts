import { factsOf } from './facts.ts'
import type { Answer, Question } from './model.ts'
import { answerTo } from './questions.ts'
import { readSentences } from './sentences.ts'
import { acknowledgement, smallTalk } from './small-talk.ts'
import { transcriptOf } from './transcript.ts'

/** The name of the built-in model. */
export const LOCAL_MODEL = 'backscroll-local'

/** The most sentences of the newest message that are looked through for questions. All of the history is read for facts. */
const MAX_SENTENCES = 100

/** The most that one answer takes up. */
const MAX_NOTED = 4
const MAX_REPLIES = 4

/**
 * What the built-in model answers: made from the messages that it was sent, and from nothing else. So it shows what is
 * remembered, and what has left the window. The same messages get the same answer; no text makes it fail.
 */
export function answerFromMessages({ messages }: Question): Answer {
  const { said, messageCount } = transcriptOf(messages)
  const latest = said.at(-1) ?? ''
  const known = { facts: factsOf(said), earlier: said.slice(0, -1), messageCount }
  const replies = readSentences(latest)
    .slice(0, MAX_SENTENCES)
    .map((sentence) => smallTalk(sentence) ?? answerTo(sentence, known))
    .filter((reply) => reply !== undefined)
  const noted = Array.from(factsOf([latest]).values(), ({ clause }) => clause)
  const parts = [
    ...(noted.length > 0 ? [`Noted: ${noted.slice(0, MAX_NOTED).join(', and ')}.`] : []),
    ...new Set(replies.slice(0, MAX_REPLIES)),
  ]
  return { content: parts.join(' ') || acknowledgement(latest) }
}
