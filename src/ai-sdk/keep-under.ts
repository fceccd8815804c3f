import type { ModelMessage } from 'ai'
import { ContextWindowExceededError } from '../errors.ts'
import { checkOptions, checkWhole } from '../store/arguments.ts'
import { countTurn, type CountPart } from '../tokens/count.ts'
import { loadEncoder } from '../tokens/encoder.ts'
import { checkEncoding, DEFAULT_ENCODING, type EncodingName } from '../tokens/encodings.ts'
import { inSlices } from '../tokens/steps.ts'
import { modelToChat } from './model-to-chat.ts'
import { partsOf } from './run-parts.ts'

/** What a run's messages are kept under. */
export interface KeepUnderOptions {
  /**
   * The most tokens of messages and instructions, inclusive: a whole number, 0 or more. The tools' definitions and the
   * answer need room besides.
   */
  readonly maxTokens: number
  /** The vocabulary to count in. Default: `o200k_base`. */
  readonly encoding?: EncodingName | undefined
  /** Needed for content that is not text: what a part costs, in tokens. */
  readonly countPart?: CountPart | undefined
  /** What the run is given as `instructions`, or as `system`: ai 7 tells `prepareStep` of it, ai 6 does not. */
  readonly instructions?: Instructions | undefined
}

/** What stands before the messages, in any form that the SDK takes. */
export type Instructions = string | SystemMessage | readonly SystemMessage[]
type SystemMessage = Extract<ModelMessage, { role: 'system' }>

/** What `prepareStep` is told of a step, as far as it matters here. */
export interface Step {
  readonly messages: ModelMessage[]
  readonly instructions?: Instructions | undefined
}

/** What {@link keepUnder} gives: a `prepareStep`. Undefined leaves the step as it is. */
export type KeepStepUnder = (step: Step) => Promise<{ messages: ModelMessage[] } | undefined>

/**
 * A `prepareStep` that keeps a long run under a limit: before each step it leaves out the oldest turns, and when only the
 * newest is left, the oldest steps of that. A step stays or goes whole, so that no call is parted from its result. What
 * the system says, the newest user message and the newest step always stay.
 *
 * Counts as chat framing does, each message once in a run.
 *
 * @throws {InvalidArgumentError} in one of its subclasses, for an option that is out of range.
 * @throws {ContextWindowExceededError} from the step for which not even what always stays fits; the run fails with it.
 */
export function keepUnder(options: KeepUnderOptions): KeepStepUnder {
  const { maxTokens, encoding, countPart, instructions } = checkOptions('keepUnder', options)
  const limit = checkWhole('maxTokens', maxTokens, 0)
  const counting = { encoding: checkEncoding(encoding ?? DEFAULT_ENCODING), framing: CHAT_FRAMING, countPart }
  // Messages stay the same objects from step to step.
  const counts = new WeakMap<ModelMessage, number>()

  const count = async (messages: readonly ModelMessage[]): Promise<number> => {
    const encoder = await loadEncoder(counting.encoding)
    let tokens = 0
    for (const message of messages) {
      const counted =
        counts.get(message) ??
        (await inSlices(countTurn(modelToChat(message).messages, encoder, counting))).tokenCount
      counts.set(message, counted)
      tokens += counted
    }
    return tokens
  }

  return async ({ messages, instructions: given = instructions }) => {
    const { always, droppable } = partsOf(messages)
    let room = limit - (await count([...asMessages(given), ...always]))
    if (room < 0) throw exceeded(limit - room, limit)
    let first = droppable.length
    while (first > 0 && (room -= await count(droppable[first - 1]!)) >= 0) first--
    if (first === 0) return undefined
    const dropped = new Set(droppable.slice(0, first).flat())
    return { messages: messages.filter((message) => !dropped.has(message)) }
  }
}

const CHAT_FRAMING = { kind: 'chat' } as const

function asMessages(instructions: Instructions | undefined): readonly SystemMessage[] {
  if (instructions === undefined) return []
  if (typeof instructions === 'string') return [{ role: 'system', content: instructions }]
  return Array.isArray(instructions) ? instructions : [instructions as SystemMessage]
}

function exceeded(tokens: number, limit: number): ContextWindowExceededError {
  return new ContextWindowExceededError(
    `The instructions, the newest user message and the newest step have ${tokens} tokens, and maxTokens is ${limit}. ` +
      'The step was not sent.',
  )
}
