import { randomFrom } from '../harness/texts.ts'

/** A text without a break, by the characters that it is drawn from. All of one run are as long. */
export type Run = keyof typeof RUNS

const LATIN = [...'abcdefghijklmnopqrstuvwxyz']

/**
 * What can be sent to a chat and is one piece to an encoder; digits are cut by threes. `three scripts` takes the most time
 * for each byte among 1,000 alphabets that were drawn at random: letters, signs or spaces from one to three of 22 blocks of
 * Unicode. Greek capitals took V8's regular expressions the longest.
 */
const RUNS = {
  'letter a': ['a'],
  Chinese: ['中'],
  spaces: [' '],
  newlines: ['\n'],
  dashes: ['-'],
  emoji: ['😀'],
  digits: ['7'],
  'Greek capitals': ['Ω'],
  'random letters': LATIN,
  'three scripts': [...LATIN, ...block(0x3041, 0x3096), ...block(0x30a1, 0x30fa), ...block(0x05d0, 0x05ea)],
} as const satisfies Record<string, readonly string[]>

/** Every run. */
export const RUN_NAMES = Object.keys(RUNS) as Run[]

/** So many characters of a run, as JavaScript counts them. The same ones each time. */
export function runOf(run: Run, characters: number): string {
  const units: readonly string[] = RUNS[run]
  if (units.length === 1) return units[0]!.repeat(characters / units[0]!.length)
  const random = randomFrom(1)
  // By way of bytes, since V8 keeps what is put together as what it was put together from.
  const text = Array.from({ length: characters }, () => units[Math.floor(random() * units.length)]!)
  return text.join('')
}

/** How many characters of a run take so many bytes of UTF-8; a whole number of its letters. */
export function charactersOf(run: Run, bytes: number): number {
  const sample = runOf(run, 1000)
  return 2 * Math.round((bytes * sample.length) / Buffer.byteLength(sample) / 2)
}

function block(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, at) => String.fromCodePoint(first + at))
}
