import { readSentences, withoutOpening } from './sentences.ts'

/** Something that the person told about themselves. */
export interface Fact {
  /** What it is about. A later fact about the same takes its place. */
  readonly key: string
  /** As it is said back to them: `you live in Oslo`. */
  readonly clause: string
}

/** What holds after all that the person said, oldest first: by its key, what was said last standing last. */
export function factsOf(said: readonly string[]): ReadonlyMap<string, Fact> {
  const facts = new Map<string, Fact>()
  for (const fact of said.flatMap(factsIn)) {
    facts.delete(fact.key)
    facts.set(fact.key, fact)
  }
  return facts
}

/** The facts in one text, in its order. */
function factsIn(text: string): Fact[] {
  return readSentences(text)
    .filter(({ words, isQuestion }) => !isQuestion && ABOUT_SELF.test(words))
    .flatMap(({ words }) => clausesOf(words).map(factOf))
    .filter((fact) => fact !== undefined)
}

/** Most sentences are about something else, and this is quick to see. */
const ABOUT_SELF = /\b(?:i|im|ive|my|me)\b/i

/** What a thing of the person's is called by: `favorite color` and `favourite colour` are one. */
export function keyOf(thing: string): string {
  return thing
    .toLowerCase()
    .replaceAll(/\b(favo|colo)r/g, '$1ur')
    .replace(/^(?:own|new|current|first|full|real) /, '')
}

/** The key of what a thing is called, beside what else is said of it. */
export function nameKeyOf(thing: string): string {
  return `name of ${keyOf(thing)}`
}

/** Where a second statement begins: `my name is Ada and I live in Oslo`. */
const JOINT = /(?:,| and| but|, and|, but) (?=(?:i|i'm|i've|my|call) )/i

function clausesOf(words: string): string[] {
  return words.split(JOINT).map((clause) =>
    withoutOpening(clause)
      .replace(/^i'?m /i, 'I am ')
      .replace(/^i'?ve /i, 'I have ')
      .replace(/^my name's /i, 'my name is ')
      .replace(/^(i(?: am| have)?|my) (?:(?:now|currently|really|also|just|still|recently) )+/i, '$1 '),
  )
}

function factOf(clause: string): Fact | undefined {
  for (const [pattern, keyOfGroups] of RULES) {
    const groups = pattern.exec(clause)?.slice(1)
    if (groups === undefined) continue
    const key = keyOfGroups(...groups)
    return { key, clause: key === 'name' ? `your name is ${groups.at(-1)}` : toYou(clause) }
  }
  return undefined
}

/** The first pattern that fits tells what a clause is about. A clause that is about the name ends in it. */
const RULES: readonly (readonly [pattern: RegExp, key: (...groups: string[]) => string])[] = [
  [/^(?:(?:you can|you may|people|my friends) )?call me (.+)$/i, () => 'name'],
  [/^i am (?:called|named) (.+)$/i, () => 'name'],
  [
    /^[Ii] am (\p{Lu}[\p{L}'-]*(?: \p{Lu}[\p{L}'-]*){0,3})$/u,
    (who) => (NO_NAME.test(who) ? `am ${who}` : 'name'),
  ],
  [/^i am \d{1,3}(?: years? old)?$/i, () => 'age'],
  [/^i (?:am|come) (?:originally )?from /i, () => 'origin'],
  [/^i (?:am |no longer |don't |do not )?(?:live|living) (?:in|at|on|near) /i, () => 'home'],
  [/^i (?:have )?moved (?:from .+ )?to /i, () => 'home'],
  [/^my (.{1,60}?)(?:'s name is| (?:is|are) (?:called|named)) /i, nameKeyOf],
  [/^my (.{1,60}?) (?:is|are) (.+)$/i, keyOf],
  [/^i (?:have|own) (?:an?|one) (.{1,60}?) (?:called|named) /i, nameKeyOf],
  [
    /^i (?:don't |do not |no longer |never )?(?:like|love|enjoy|prefer|hate|dislike) (.+)$/i,
    (what) => `taste ${keyOf(what)}`,
  ],
  [/^i (?:work|am working) (as|in|at|for) /i, (how) => `work ${how.toLowerCase()}`],
  [
    /^i ((?:don't |do not |no longer |never )?(?:am|was|have|own|study|speak|play|drink|eat|drive|collect|teach|learn|use|need|want) .+)$/i,
    (what) => what.toLowerCase(),
  ],
]

/** Words that stand after `I am` with a capital letter and are no names. */
const NO_NAME =
  /^(?:OK|American|Australian|Austrian|Belgian|Brazilian|British|Canadian|Chinese|Danish|Dutch|English|European|Finnish|French|German|Greek|Indian|Irish|Italian|Japanese|Korean|Mexican|Norwegian|Polish|Portuguese|Russian|Scottish|Spanish|Swedish|Swiss|Turkish|Ukrainian)\b/

/** What a person says of themselves, as it is said to them. */
function toYou(clause: string): string {
  return clause.replaceAll(
    /(?<![\p{L}\p{N}])(?:i am|i was|i|me|my|mine|myself)(?![\p{L}\p{N}'])/giu,
    (word) => YOU[word.toLowerCase()]!,
  )
}

const YOU: Readonly<Record<string, string>> = {
  'i am': 'you are',
  'i was': 'you were',
  i: 'you',
  me: 'you',
  my: 'your',
  mine: 'yours',
  myself: 'yourself',
}
