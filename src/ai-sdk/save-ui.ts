import { createHash } from 'node:crypto'
import type { UIMessage } from 'ai'
import { IdempotencyConflictError, MessagesConflictError, OutcomeUnknownError } from '../errors.ts'
import { checkOptions } from '../store/arguments.ts'
import type { Conversation } from '../store/conversation.ts'
import type { CallOptions } from '../store/options.ts'
import type { Message } from '../types.ts'
import { checkConversation, checkUIMessages } from './checks.ts'
import { inTurns } from './in-turns.ts'
import { mergeMessages, type Merge, type MergedMessage } from './merge.ts'
import { readStored } from './stored-tail.ts'
import { toStoredUIMessage } from './stored-form.ts'
import type { ShownMessage } from './ui-messages.ts'

/** How often a save starts anew because others changed the conversation at the same moment, before it gives up. */
const MAX_STARTS = 20

/**
 * Saves the UI messages of a list that are not stored yet: what `onEnd` of a stream gives (`onFinish` in ai 6), with the
 * original messages and the answer, or what the client sent. A message is known by its id: saving it again adds nothing,
 * and saving it changed (a tool's output came, an answer went on) puts it in the place of the stored one. Where the
 * list's last question was edited, or has another answer than the stored one, what is stored after the question goes.
 * What others have stored meanwhile stays.
 *
 * Reads as many turns as the list has, and writes each new turn, or all that changes, in one atomic step.
 *
 * @throws {InvalidMessageError} for what is no UI message, or has no id, before anything is written.
 * @throws {MessagesConflictError} when others go on changing the same messages at the same moment.
 * @throws {MissingTokenCountError} for a file or an image, where the conversation has no `countPart`.
 */
export async function saveUIMessages(
  conversation: Conversation,
  messages: readonly UIMessage[],
  options?: CallOptions,
): Promise<void> {
  checkConversation(conversation)
  const { signal } = checkOptions('saveUIMessages', options)
  const given = await checkUIMessages(messages)
  if (given.length === 0) return
  let from: number | undefined
  for (let starts = 1; ; starts++) {
    const stored = await readStored(conversation, given, { from, signal })
    try {
      return await write(conversation, stored, mergeMessages(stored, given), signal)
    } catch (error) {
      // Others wrote meanwhile, or a connection broke off: what is stored then tells what is left to save.
      const isToReadAgain =
        error instanceof MessagesConflictError ||
        error instanceof IdempotencyConflictError ||
        error instanceof OutcomeUnknownError
      if (!isToReadAgain || starts === MAX_STARTS) throw error
      if (error instanceof IdempotencyConflictError) from = await oldestKnown(conversation, given, signal)
    }
  }
}

async function write(
  conversation: Conversation,
  stored: readonly ShownMessage[],
  { keep, put }: Merge,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (keep === stored.length && put.length === 0) return
  const isOpening = stored.length === 0 || put[0]?.message.role === 'user'
  if (keep === stored.length && isOpening) {
    // A turn each, under its first message's id: the key is dropped with its turn.
    for (const turn of inTurns(put.map(({ message }) => message))) {
      const idempotencyKey = keyOf(turn[0]!)
      await conversation.append(turn.flatMap(toStoredUIMessage), { idempotencyKey, signal })
    }
    return
  }
  // With the newest that stays among the expected, so that nobody has added anything after it.
  const at = Math.min(keep, stored.length - 1)
  const expected = stored.slice(at).flatMap(toChat)
  const replacement = [...stored.slice(at, keep), ...put].flatMap(toChat)
  await conversation.replaceNewest(expected, replacement, { signal })
}

function toChat({ message, chat }: MergedMessage): readonly Message[] {
  return chat ?? toStoredUIMessage(message)
}

/** Hashed, since an id may be of any length; as JSON, which escapes what is no Unicode. */
function keyOf({ id }: UIMessage): string {
  return `ai-sdk:${createHash('sha256').update(JSON.stringify(id)).digest('base64')}`
}

/** The position of the oldest turn that was stored under the id of one of these messages. */
async function oldestKnown(
  conversation: Conversation,
  given: readonly UIMessage[],
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  const positions: number[] = []
  for (const message of given) {
    const turn = message.role === 'user' ? await conversation.findTurn(keyOf(message), { signal }) : undefined
    if (turn) positions.push(turn.position)
  }
  return positions.length > 0 ? Math.min(...positions) : undefined
}
