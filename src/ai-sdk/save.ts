import type { ModelMessage } from 'ai'
import { checkOptions } from '../store/arguments.ts'
import type { Conversation } from '../store/conversation.ts'
import type { AddMessagesOptions } from '../store/options.ts'
import { checkConversation, checkModelMessages } from './checks.ts'
import { toStoredModelMessages } from './stored-form.ts'

/**
 * Saves what a person said together with the response messages that `streamText` or `generateText` gave for it. A user's
 * message opens a turn, and what follows joins it, now or by a later call. One atomic step; it does nothing for `[]`.
 *
 * With an `idempotencyKey` it can be repeated: the same messages under the same key are saved once.
 *
 * @throws {InvalidMessageError} for what is no model message, before anything is written.
 * @throws {MissingTokenCountError} for a file or an image, where the conversation has no `countPart`.
 */
export async function saveModelMessages(
  conversation: Conversation,
  messages: readonly ModelMessage[],
  options?: AddMessagesOptions,
): Promise<void> {
  checkConversation(conversation)
  const checked = checkOptions('saveModelMessages', options)
  await conversation.addMessages(toStoredModelMessages(checkModelMessages(messages)), checked)
}
