import { SaveFailedError, type ConversationChain } from '../../index.ts'
import { faint, title } from '../print.ts'
import { reasonOf } from './failure.ts'
import type { Person } from './person.ts'
import { printable } from './printable.ts'

/** What a chat is made of. */
export interface Chat {
  readonly chain: ConversationChain
  /** Whether the built-in model answers, which says so wherever it speaks. */
  readonly isLocal: boolean
}

/** Asks the model and prints its reply as it comes; what went wrong is a line. True when the reply is whole and saved. */
export async function printReply(
  { chain, isLocal }: Chat,
  input: string,
  { isAtTerminal, replies, notes }: Person,
  signal: AbortSignal,
): Promise<boolean> {
  const label = isAtTerminal || isLocal ? title(`${chain.model}> `, replies) : ''
  let isPartial = false
  let last = label
  replies.write(label)
  try {
    for await (const piece of chain.stream({ input }, { signal })) {
      const text = printable(piece)
      replies.write(text)
      isPartial = true
      last = text || last
    }
    if (!last.endsWith('\n')) replies.write('\n')
    return true
  } catch (error) {
    if (last !== '' && !last.endsWith('\n')) replies.write('\n')
    if (error instanceof SaveFailedError) return await saveAgain(chain, error, notes)
    const kept = isPartial ? 'What came of the reply is kept.' : 'Nothing is kept of it.'
    if (signal.aborted) notes.write(`${faint(`Stopped. ${kept}`, notes)}\n`)
    else notes.write(`backscroll: ${await reasonOf(error)} ${kept}\n`)
    return false
  }
}

async function saveAgain(
  { memory }: ConversationChain,
  unsaved: SaveFailedError,
  notes: Person['notes'],
): Promise<boolean> {
  notes.write('backscroll: The reply was not saved. Trying once more.\n')
  try {
    await memory.conversation.append(unsaved.messages, unsaved)
    notes.write('Saved.\n')
    // A part of a reply is no answer, though it is saved.
    return unsaved.metadata?.['partial'] !== true
  } catch (error) {
    notes.write(`backscroll: ${await reasonOf(error)} The reply stays unsaved.\n`)
    return false
  }
}
