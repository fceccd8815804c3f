import type { UIMessage } from 'ai'
import { sameJson } from '../store/codec.ts'
import { toOwnJson } from './own-json.ts'
import type { Message } from '../types.ts'
import type { ShownMessage } from './ui-messages.ts'

/** A message as it is to be stored: with the stored messages that hold it, where it stays as it is. */
export interface MergedMessage {
  readonly message: UIMessage
  readonly chat?: readonly Message[] | undefined
}

/** What is to become of the newest stored messages: the first `keep` of them stay, and `put` takes the place of the rest. */
export interface Merge {
  readonly keep: number
  /** In their order: stored ones that stay, and those that are new or changed. */
  readonly put: readonly MergedMessage[]
}

/**
 * How a list of UI messages, as an app shows it, goes into what is stored.
 *
 * A message whose id is stored takes the place of the stored one. A new answer is put after what it follows in the list (a
 * greeting before what it precedes), and a new question at the end. Nothing is dropped because the list lacks it, since others may have added it meanwhile;
 * but where the list's last question was edited, or has another answer than the stored one, what is stored after the
 * question goes, as it went from the app's list.
 */
export function mergeMessages(stored: readonly ShownMessage[], given: readonly UIMessage[]): Merge {
  // The last of those with one id: an answer may come as it was loaded and, after it, as it went on.
  const list = [...new Map(given.map((message) => [message.id, message])).values()]
  const merged: MergedMessage[] = stored.slice(0, lastingLength(stored, list))
  let after = merged.findIndex(({ message }) => list.some(({ id }) => id === message.id)) - 1
  if (after < -1) after = merged.length - 1
  for (const message of list) {
    const at = merged.findIndex((one) => one.message.id === message.id)
    const known = merged[at]
    if (known) {
      after = at
      if (isChanged(known, message)) merged[at] = { message }
    } else {
      after = message.role === 'user' ? merged.length : after + 1
      merged.splice(after, 0, { message })
    }
  }
  const first = merged.findIndex((one, index) => one !== stored[index])
  const keep = first < 0 ? merged.length : first
  return { keep, put: merged.slice(keep) }
}

/** How many of the stored messages are not dropped. */
function lastingLength(stored: readonly ShownMessage[], list: readonly UIMessage[]): number {
  const asked = list.findLastIndex(({ role }) => role === 'user')
  const question = list[asked]
  const at = stored.findIndex(({ message }) => message.id === question?.id)
  if (!question || at < 0) return stored.length
  const [answer, storedAnswer] = [list[asked + 1], stored[at + 1]]
  const isAnsweredAnew =
    answer !== undefined &&
    storedAnswer?.message.role === 'assistant' &&
    !stored.some(({ message }) => message.id === answer.id)
  return isAnsweredAnew || isChanged(stored[at]!, question) ? at + 1 : stored.length
}

function isChanged({ message }: MergedMessage, given: UIMessage): boolean {
  return !sameJson(JSON.stringify(toOwnJson(given)), JSON.stringify(toOwnJson(message)))
}
