import type { ReadSentence } from './sentences.ts'

const GREETING =
  'Hello! I am a small local program, not a language model. Tell me something about yourself and ask me for it later: ' +
  'I answer only from the messages that I am sent.'

const SELF =
  'I am the local model of backscroll: a small program, not a language model. I answer only from the messages that ' +
  'I am sent, so you see what is remembered and what has left the window. Ask me for your name, where you live, or ' +
  'what you said about something.'

const REPLIES: readonly (readonly [pattern: RegExp, reply: string])[] = [
  [/^(?:hi|hello|hey|greetings|good (?:morning|afternoon|evening|day))(?:,? \S+){0,2}$/i, GREETING],
  [/^(?:\w+,? )?(?:what's up|how are you|how do you do|how is it going|how's it going)\b/i, GREETING],
  [
    /^(?:who|what) are you\b|^are you (?:an? |real|human|chatgpt)|^(?:what|how) can you (?:do|help)|^help$/i,
    SELF,
  ],
  [/^what(?:'s| is) your name$/i, SELF],
  [/^(?:thanks|thank you|cheers)\b/i, 'You are welcome.'],
  [/^(?:bye|goodbye|good night|see you|so long)(?:,? \S+){0,3}$/i, 'Goodbye!'],
]

/** The reply to a greeting, thanks or a farewell, and to who it is that answers. Undefined for anything else. */
export function smallTalk({ words }: ReadSentence): string | undefined {
  return REPLIES.find(([pattern]) => pattern.test(words))?.[1]
}

/** What is said when there is nothing else to say. It proposes the longest word of the text to ask for. */
export function acknowledgement(text: string): string {
  // the beginning will do, and a text may be long
  const words = text.slice(0, 1000).match(/\p{L}{5,30}/gu) ?? []
  const topic = words.reduce((longest, word) => (word.length > longest.length ? word : longest), '')
  if (topic === '') return 'I have read that.'
  return `I have read that. Ask me later what you said about “${topic}”, and I look it up in the messages that I am sent.`
}
