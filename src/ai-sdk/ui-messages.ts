import type { ModelMessage, UIMessage } from 'ai'
import type { Message, StoredTurn } from '../types.ts'
import { ChatReader } from './chat-to-model.ts'
import { toUIMessage } from './model-to-ui.ts'
import { fromStored, type StoredMessage } from './stored-form.ts'

/** A UI message and the stored messages that hold it. */
export interface ShownMessage {
  readonly message: UIMessage
  readonly chat: readonly Message[]
}

/**
 * Turns as UI messages. What was saved in another form gets an id of its place, `turn-12-0`: the same one each time that
 * it is loaded, however much comes after it.
 */
export function toUIMessages(turns: readonly StoredTurn[]): ShownMessage[] {
  const reader = new ChatReader()
  return turns.flatMap(({ position, messages }) =>
    inRuns(fromStored(messages, reader)).map((run, index) => toShown(run, `turn-${position}-${index}`)),
  )
}

function toShown(run: readonly StoredMessage[], id: string): ShownMessage {
  const chat = run.flatMap((stored) => stored.chat)
  const [first] = run
  if (first?.form === 'ui') return { message: first.message, chat }
  return {
    message: toUIMessage(
      id,
      run.map(({ message }) => message as ModelMessage),
    ),
    chat,
  }
}

/** The position of the turn in an id that {@link toUIMessages} made; undefined for any other. */
export function placeIn(id: string): number | undefined {
  const [, position] = /^turn-(\d{1,15})-\d+$/.exec(id) ?? []
  return position === undefined ? undefined : Number(position)
}

/** What is one UI message each: an assistant's model messages and its tools' together, all else by itself. */
function inRuns(stored: readonly StoredMessage[]): StoredMessage[][] {
  const runs: StoredMessage[][] = []
  for (const one of stored) {
    const before = runs.at(-1)?.at(-1)
    if (before && isAnswer(before) && isAnswer(one)) runs.at(-1)!.push(one)
    else runs.push([one])
  }
  return runs
}

function isAnswer({ form, message }: StoredMessage): boolean {
  return form === 'model' && (message.role === 'assistant' || message.role === 'tool')
}
