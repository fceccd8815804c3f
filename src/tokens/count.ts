import { InvalidArgumentError, MissingTokenCountError } from '../errors.ts'
import { kindOf } from '../redact.ts'
import type { ContentPart, Message } from '../types.ts'
import type { Encoder } from './encoder.ts'
import type { EncodingName } from './encodings.ts'
import type { Framing, TextFraming } from './framing.ts'
import { contentParts, partText, renderText, toolCallsText } from './render.ts'
import type { Steps } from './steps.ts'

/**
 * Tells how many tokens a content part that is not text costs the model: a whole number, 0 or more. It must always
 * tell the same for the same part, since a recount asks again.
 */
export type CountPart = (part: ContentPart) => number

/** The rule under which turns are counted. Counts made under two rules are never mixed. */
export interface Counting {
  readonly encoding: EncodingName
  readonly framing: Framing
  readonly countPart: CountPart | undefined
}

/** What a turn costs: when another turn follows it, and as the newest one. */
export interface TurnCount {
  readonly tokenCount: number
  readonly closingTokenCount: number
}

/**
 * Counts a turn as its framing renders it. The tokens of a window are exactly the sum of the token counts of all its
 * turns but the newest, and the closing token count of that.
 */
export function* countTurn(
  messages: readonly Message[],
  encoder: Encoder,
  counting: Counting,
): Steps<TurnCount> {
  const { framing } = counting
  return framing.kind === 'text'
    ? yield* countText(messages, encoder, framing)
    : yield* countChat(messages, encoder, counting.countPart)
}

/** Lines are joined by a line break, which may merge with what ends a turn: so a turn is counted with and without it. */
function* countText(messages: readonly Message[], encoder: Encoder, framing: TextFraming): Steps<TurnCount> {
  const { alone, beforeLine } = yield* encoder.countWithNewline(renderText(messages, framing))
  return { tokenCount: beforeLine, closingTokenCount: alone }
}

/** Tokens that the chat form adds to a message. Source: OpenAI cookbook, "How to count tokens with tiktoken". Reach: text. */
const TOKENS_PER_MESSAGE = 3
/** Tokens that the chat form adds for a name. Source and reach: the same. */
const TOKENS_PER_NAME = 1

/** The largest count that a turn's row can hold, on either database: an integer of 32 bits. */
const MAX_TURN_TOKENS = 2 ** 31 - 1

function* countChat(
  messages: readonly Message[],
  encoder: Encoder,
  countPart: CountPart | undefined,
): Steps<TurnCount> {
  let tokens = 0
  for (const message of messages) {
    tokens += TOKENS_PER_MESSAGE + (yield* encoder.count(message.role))
    const parts = contentParts(message)
    tokens += yield* encoder.count(parts.map((part) => partText(part) ?? '').join(''))
    for (const part of parts) if (partText(part) === undefined) tokens += askForCount(part, countPart)
    tokens += yield* encoder.count(toolCallsText(message))
    if ('tool_call_id' in message) tokens += yield* encoder.count(message.tool_call_id ?? '')
    if ('name' in message && typeof message.name === 'string')
      tokens += TOKENS_PER_NAME + (yield* encoder.count(message.name))
  }
  if (tokens > MAX_TURN_TOKENS) {
    throw new InvalidArgumentError(
      `A turn may cost at most ${MAX_TURN_TOKENS} tokens; countPart makes it ${tokens}.`,
    )
  }
  return { tokenCount: tokens, closingTokenCount: tokens }
}

function askForCount(part: ContentPart, countPart: CountPart | undefined): number {
  if (!countPart) {
    throw new MissingTokenCountError(
      'A content part that is not text has no token count under chat framing. ' +
        'Give the conversation `countPart: (part) => tokens`; a guess would make the window inexact.',
    )
  }
  const tokens: unknown = countPart(part)
  if (typeof tokens !== 'number' || !Number.isSafeInteger(tokens) || tokens < 0) {
    throw new InvalidArgumentError(
      `countPart must return a whole number of tokens, 0 or more; got ${kindOf(tokens)}.`,
    )
  }
  return tokens
}
