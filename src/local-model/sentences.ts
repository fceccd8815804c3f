/** The most characters of a sentence that is read for what it means. It bounds what a pattern can cost. */
const MAX_READ = 300

/** The sentences of a text, each on one line. Takes time in proportion to the text, whatever is in it. */
export function sentencesOf(text: string): string[] {
  return text
    .split(/(?<=[.!?])\s+|\n+/)
    .map((sentence) => sentence.replaceAll(/\s+/g, ' ').trim())
    .filter((sentence) => sentence !== '')
}

/** A sentence as the patterns read it. */
export interface ReadSentence {
  /** Without what ends it, and with one kind of apostrophe. */
  readonly words: string
  readonly isQuestion: boolean
}

/** The sentences that are short enough to be read. */
export function readSentences(text: string): ReadSentence[] {
  return sentencesOf(text)
    .filter((sentence) => sentence.length <= MAX_READ)
    .map((sentence) => ({
      words: sentence.replaceAll('’', "'").replace(/[\s.!?…,;:]+$/, ''),
      isQuestion: sentence.endsWith('?'),
    }))
}

/** At most `width` characters of a text. */
export function shortened(text: string, width: number): string {
  const characters = [...text.slice(0, 2 * width)]
  if (characters.length <= width && text.length <= 2 * width) return text
  return `${characters.slice(0, width - 1).join('')}…`
}

/** The words of a text as they are compared: lower case, without the ending of a plural. */
export function stemsOf(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
  return words.map((word) => (word.length > 3 && word.endsWith('s') ? word.slice(0, -1) : word))
}

/** A sentence from where it comes to the point: without `hi, so` or `please`. */
export function withoutOpening(words: string): string {
  return words.replace(OPENING, '')
}

const OPENING =
  /^(?:(?:hi|hello|hey|well|oh|ok|okay|yes|no|so|and|but|also|actually|anyway|now|by the way|please|remember|note|that)(?: there)?[,:]? )+/i

/** With a capital letter and a full stop. */
export function asSentence(clause: string): string {
  return `${clause.charAt(0).toUpperCase()}${clause.slice(1)}.`
}
