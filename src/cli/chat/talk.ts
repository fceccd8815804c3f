import { CommandError, EXIT } from '../command.ts'
import { counted, faint } from '../print.ts'
import { reasonOf } from './failure.ts'
import type { Person } from './person.ts'
import { printReply, type Chat } from './reply.ts'
import { isSlashCommand, QUIT, runSlashCommand } from './slash.ts'

/**
 * Answers what a person says, until there is no more. What fails is a line, and the chat goes on.
 *
 * @throws {CommandError} at the end, when something failed and a program has to be told.
 */
export async function talk(chat: Chat, person: Person, signal: AbortSignal): Promise<void> {
  let failures = 0
  for (;;) {
    const message = await person.next()
    signal.throwIfAborted()
    if (message === undefined || message.trim() === QUIT) break
    if (message.trim() === '') continue
    const isDone = await person.during((stop) =>
      isSlashCommand(message) ? obey(chat, message, person, stop) : printReply(chat, message, person, stop),
    )
    if (!isDone) failures++
    if (person.isAtTerminal) person.notes.write('\n')
  }
  if (failures === 0 || person.isAtTerminal) return
  throw new CommandError(EXIT.failed, `Not all went well: ${counted(failures, 'line')} failed.`)
}

/** True when it is done. */
async function obey(chat: Chat, message: string, person: Person, signal: AbortSignal): Promise<boolean> {
  const { notes } = person
  try {
    if (await runSlashCommand(message, chat, person, signal)) return true
    notes.write('backscroll: There is no such command, and nothing was sent. See /help.\n')
  } catch (error) {
    notes.write(signal.aborted ? `${faint('Stopped.', notes)}\n` : `backscroll: ${await reasonOf(error)}\n`)
  }
  return false
}
