import type { Message } from '../src/index.ts'

/**
 * Made-up messages of varied length, the same in every run. `age` counts from the newest turn, which has 1: so two
 * conversations of any lengths have the same newest turns.
 */
export function generatedTurn(age: number): Message[] {
  const random = randomFrom(age)
  return [
    { role: 'user', content: words(2 + random(14), random) },
    { role: 'assistant', content: words(5 + random(40), random) },
  ]
}

const WORDS =
  `the a our your this flight train ticket luggage price hotel night morning tomorrow please could would change
  book cancel keep find send seven twelve 42 2,000 €19.90 café Zürich naïve 東京 москва ✈️ maybe never always soon
  thanks sorry yes no because although before after with without and or`.split(/\s+/)

function words(length: number, random: (below: number) => number): string {
  return Array.from({ length }, () => WORDS[random(WORDS.length)]).join(' ')
}

/** Mulberry32: small, and well spread even from seeds that follow each other. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}
