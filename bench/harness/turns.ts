import type { Message } from '../../src/index.ts'
import { countTurn, type TurnCount } from '../../src/tokens/count.ts'
import { loadEncoder } from '../../src/tokens/encoder.ts'
import { toFraming } from '../../src/tokens/framing.ts'
import { atOnce } from '../../src/tokens/steps.ts'
import { prose, randomFrom, type Random, type TextKind } from './texts.ts'

/** A turn and what it costs under the defaults: `o200k_base`, text framing. */
export interface CountedTurn extends TurnCount {
  readonly messages: Message[]
}

/** How many different turns there are. A long conversation repeats them: nothing that is measured could tell. */
const DIFFERENT = 512

/** Characters of a question and of an answer: most are short, some long (log-normal, by its median and its spread). */
const QUESTION = { median: 90, sigma: 0.9 }
const ANSWER = { median: 420, sigma: 0.9 }
const LONGEST = 6000

/** Turns of varied length and kind, one in eight with a tool call; 245 tokens each on the average. The same ones each time. */
export async function variedTurns(different = DIFFERENT): Promise<CountedTurn[]> {
  const encoder = await loadEncoder('o200k_base')
  const counting = { encoding: 'o200k_base', framing: toFraming('text'), countPart: undefined } as const
  const random = randomFrom(7)
  const turns = Array.from({ length: different }, () => {
    const messages = variedTurn(random)
    return { messages, ...atOnce(countTurn(messages, encoder, counting)) }
  })
  return [...turns.slice(TYPICAL), ...turns.slice(0, TYPICAL)]
}

/** From here on, so that the newest 2,000 and 8,000 tokens hold as many turns as they do on the average: 8 and 32. */
const TYPICAL = 12

function variedTurn(random: Random): Message[] {
  const kind = kindOf(random())
  const question: Message = { role: 'user', content: text(kind, QUESTION, random) }
  const answer: Message = { role: 'assistant', content: text(kind, ANSWER, random) }
  if (random() >= 1 / 8) return [question, answer]
  const id = `call_${Math.floor(random() * 2 ** 32).toString(36)}`
  const search = { name: 'search', arguments: JSON.stringify({ query: text(kind, QUESTION, random) }) }
  return [
    question,
    { role: 'assistant', content: null, tool_calls: [{ id, type: 'function', function: search }] },
    { role: 'tool', tool_call_id: id, content: text('English', ANSWER, random) },
    answer,
  ]
}

function kindOf(share: number): TextKind {
  if (share < 0.7) return 'English'
  if (share < 0.85) return 'code'
  return share < 0.95 ? 'Chinese' : 'emoji'
}

function text(kind: TextKind, { median, sigma }: typeof QUESTION, random: Random): string {
  // Box and Muller's way to a normal distribution; 1 - random() is never 0.
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  return prose(kind, Math.min(LONGEST, median * Math.exp(sigma * normal)), random)
}
