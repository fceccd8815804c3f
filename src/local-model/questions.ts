import { keyOf, nameKeyOf, type Fact } from './facts.ts'
import {
  asSentence,
  sentencesOf,
  shortened,
  stemsOf,
  withoutOpening,
  type ReadSentence,
} from './sentences.ts'

/** All that a question is answered from. */
export interface Knowledge {
  /** By what they are about, the newest last. */
  readonly facts: ReadonlyMap<string, Fact>
  /** What the person said before this message, oldest first. */
  readonly earlier: readonly string[]
  /** Messages that were sent, of both sides. */
  readonly messageCount: number
}

/** The answer to a question, or that the messages hold none. Undefined for what is no question. */
export function answerTo({ words, isQuestion }: ReadSentence, known: Knowledge): string | undefined {
  const question = directly(words)
  for (const [pattern, answer] of QUESTIONS) {
    const groups = pattern.exec(question)?.slice(1)
    if (groups) return answer(known, ...groups)
  }
  return isQuestion ? unknown(known, 'that') : undefined
}

/** `Do you remember my name` and `tell me what my name is` ask `what is my name`. */
function directly(words: string): string {
  const question = withoutOpening(words).replace(/^(what|who|where|when|how)'?s /i, '$1 is ')
  return question
    .replace(INDIRECT, 'tell me ')
    .replace(/^tell me (?:about )?my (.+?)$/i, 'what is my $1')
    .replace(/^tell me (what|who|where|when) my (.+) (is|are)( called| named)?$/i, '$1 $3 my $2$4')
    .replace(/^tell me /i, '')
}

const INDIRECT =
  /^(?:(?:do|can|could|would|will) you (?:please )?(?:still )?(?:know|remember|recall|tell me|say)|tell me) /i

type Answerer = (known: Knowledge, ...groups: string[]) => string

/** The first pattern that fits answers. */
const QUESTIONS: readonly (readonly [pattern: RegExp, answer: Answerer])[] = [
  [/^how many (?:of (?:my|the|our) )?messages\b/i, countMessages],
  [/^what (?:was|is) (?:the|my) (?:first|oldest) (?:thing|message)\b/i, oldestMessage],
  [
    /^what (?:did i (?:say|tell you)|(?:have )?i (?:have )?(?:said|told you)|do you (?:know|remember)) (?:about|of) (?!me$)(.+)$/i,
    saidAbout,
  ],
  [
    /^what (?:else )?(?:have i (?:told you|said)|did i (?:tell you|say)|do you (?:know|remember|recall))\b/i,
    listFacts,
  ],
  [/^who (?:am i|i am)$/i, whoIsAsking],
  [
    /^where (?:do i live|i live|am i|i am)(?: living)?(?: now)?$/i,
    (known) => told(known, ['home', 'origin'], 'where you live'),
  ],
  [/^where (?:am i|i am|do i come|i come) from$/i, (known) => told(known, ['origin'], 'where you are from')],
  [/^how old (?:am i|i am)$/i, (known) => told(known, ['age'], 'how old you are')],
  [
    /^what (?:do i do|is my (?:job|work|profession|occupation))\b/i,
    (known) =>
      told(
        known,
        ['job', 'profession', 'occupation', 'work', 'work as', 'work at', 'work for', 'work in'],
        'what your work is',
      ),
  ],
  [/^what (?:is|are) the names? of my (.+)$/i, nameOfThing],
  [/^(?:what|who|how) (?:is|are) my (.+?)(?:'s name| called| named)$/i, nameOfThing],
  [/^(?:what|who|when|where|which|how) (?:is|are|was|were) my (.+)$/i, thing],
  [/^what am i$/i, (known) => deeds(known, 'are')],
  [/^(?:what|where|who|which)(?: \S+){0,3} (?:do|did) i (\S+)\b/i, deeds],
  [/^(?:do|did|am|was|have) i (.+)$/i, saidSo],
]

/** The most sentences or facts that one answer gives back. */
const MAX_QUOTES = 3
const MAX_FACTS = 8

/** The most characters of a quoted sentence. */
const MAX_QUOTE_LENGTH = 200

function unknown({ messageCount }: Knowledge, what: string): string {
  const messages = messageCount === 1 ? 'the one message' : `the ${messageCount} messages`
  return `Nothing in ${messages} that I was sent tells me ${what}.`
}

function countMessages({ messageCount, earlier }: Knowledge): string {
  const messages = messageCount === 1 ? 'one message' : `${messageCount} messages`
  return `I was sent ${messages}, ${earlier.length + 1} of them from you, this one included.`
}

function oldestMessage({ earlier: [oldest] }: Knowledge): string {
  return oldest === undefined
    ? 'This is the only message of yours that I was sent.'
    : `The oldest message of yours that I was sent is ${quoted(oldest)}`
}

function saidAbout(known: Knowledge, topic: string): string {
  const about = topic.replace(/^(?:my|the|an?) /i, '')
  return quotes(known, about) ?? unknown(known, `what you said about “${shortened(about, 60)}”`)
}

/** `Do I like tea`: what was said of it, which may say the opposite. */
function saidSo(known: Knowledge, claim: string): string {
  return quotes(known, claim) ?? unknown(known, 'that')
}

/** The person's sentences that have every word of a text, newest first. */
function quotes({ earlier }: Knowledge, text: string): string | undefined {
  const words = stemsOf(text)
  if (words.length === 0) return undefined
  const found = earlier
    .flatMap(sentencesOf)
    .filter((sentence) => !ASKED_BACK.test(sentence) && hasAll(sentence, words))
    .slice(-MAX_QUOTES)
    .toReversed()
  if (found.length === 0) return undefined
  return `You said${found.length > 1 ? ', newest first' : ''}: ${found.map(quoted).join(' ')}`
}

/** The person's own questions of this kind: they have the word, and tell nothing. */
const ASKED_BACK = /\bi (?:have )?(?:say|said|tell|told)(?: you)? about\b/i

function hasAll(sentence: string, words: readonly string[]): boolean {
  const present = new Set(stemsOf(sentence))
  return words.every((word) => present.has(word) || (UNSPACED.test(word) && sentence.includes(word)))
}

/** Scripts that set no spaces between words. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u

function quoted(text: string): string {
  return `“${shortened(text.replaceAll(/\s+/g, ' ').trim(), MAX_QUOTE_LENGTH)}”`
}

function listFacts(known: Knowledge): string {
  const clauses = [...known.facts.values()].map(({ clause }) => clause)
  if (clauses.length === 0) return unknown(known, 'anything about you')
  const newest = clauses.slice(-MAX_FACTS).join('; ')
  return `You told me: ${newest}${clauses.length > MAX_FACTS ? `; and ${clauses.length - MAX_FACTS} things before that` : ''}.`
}

function nameOfThing(known: Knowledge, name: string): string {
  return told(known, [nameKeyOf(name), keyOf(name)], `what your ${shortened(name, 60)} is called`)
}

function thing(known: Knowledge, name: string): string {
  return told(known, [keyOf(name), nameKeyOf(name)], `what your ${shortened(name, 60)} is`)
}

function whoIsAsking(known: Knowledge): string {
  return known.facts.has('name') ? told(known, ['name'], 'your name') : listFacts(known)
}

/** What was told under the first of the keys that anything was told under. */
function told(known: Knowledge, keys: readonly string[], what: string): string {
  const fact = keys.map((key) => known.facts.get(key)).find((found) => found !== undefined)
  return fact ? asSentence(fact.clause) : unknown(known, what)
}

const LIKING: readonly string[] = ['like', 'love', 'enjoy', 'prefer']

/** What the person does, by the verb; what they do not is another verb. */
function deeds(known: Knowledge, verb: string): string {
  const verbs = LIKING.includes(verb.toLowerCase()) ? LIKING : [verb.toLowerCase()]
  const clauses = [...known.facts.values()]
    .map(({ clause }) => clause)
    .filter((clause) => verbs.includes(clause.split(' ', 2)[1]!))
  if (clauses.length === 0) return unknown(known, 'that')
  return clauses.slice(-MAX_QUOTES).toReversed().map(asSentence).join(' ')
}
