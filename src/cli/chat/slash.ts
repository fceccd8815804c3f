import type { StoredTurn } from '../../index.ts'
import { renderText } from '../../tokens/render.ts'
import { drawBars } from '../bars.ts'
import { count, counted, faint } from '../print.ts'
import { viewWindow } from '../window-view.ts'
import type { Person } from './person.ts'
import { printable } from './printable.ts'
import type { Chat } from './reply.ts'

/** What a line that begins with a slash does, beside leaving. */
interface SlashCommand {
  readonly summary: string
  run(chat: Chat, person: Person, signal: AbortSignal): Promise<void>
}

const COMMANDS: ReadonlyMap<string, SlashCommand> = new Map<string, SlashCommand>([
  ['/history', { summary: 'the newest 20 turns', run: printNewest }],
  ['/history all', { summary: 'all turns', run: printAll }],
  ['/window', { summary: 'what the model would be given now, and what is left out', run: printWindow }],
  ['/clear', { summary: 'drop all turns of this conversation', run: clear }],
  ['/help', { summary: 'this text', run: printHelp }],
])

/** Leaves; so do Ctrl-D and the end of the input. */
export const QUIT = '/quit'

/** Whether it is meant for the chat and not for the model. Several lines are a text that happens to begin so. */
export function isSlashCommand(message: string): boolean {
  return message.startsWith('/') && !message.includes('\n')
}

/** Does what a line with a slash says. False when there is no such command. */
export async function runSlashCommand(
  message: string,
  chat: Chat,
  person: Person,
  signal: AbortSignal,
): Promise<boolean> {
  const command = COMMANDS.get(message.trim().replace(/\s+/g, ' '))
  await command?.run(chat, person, signal)
  return command !== undefined
}

async function printHelp(_: Chat, { notes }: Person): Promise<void> {
  for (const [name, { summary }] of COMMANDS) notes.write(`  ${name.padEnd(13)} ${summary}\n`)
  notes.write(
    `  ${QUIT.padEnd(13)} leave, as Ctrl-D does; Ctrl-C stops a reply, and twice at the prompt leaves\n`,
  )
  notes.write('To send a message that begins with a slash, begin it with a space.\n')
}

/** How many turns are shown unless all are asked for. */
const NEWEST = 20
/** The most that one call lists. */
const PAGE = 1000

async function printNewest(chat: Chat, person: Person, signal: AbortSignal): Promise<void> {
  const { conversation } = chat.chain.memory
  const turns = await conversation.listTurns({ before: Number.MAX_SAFE_INTEGER, limit: NEWEST + 1, signal })
  if (turns.length === 0) person.notes.write('Nothing is stored yet.\n')
  if (turns.length > NEWEST)
    person.notes.write(`${faint('… /history all shows the older ones.', person.notes)}\n`)
  printTurns(turns.slice(-NEWEST), chat, person)
}

async function printAll(chat: Chat, person: Person, signal: AbortSignal): Promise<void> {
  const { conversation } = chat.chain.memory
  for (let page: StoredTurn[] | undefined; page === undefined || page.length === PAGE;) {
    page = await conversation.listTurns({ after: page?.at(-1)?.position ?? 0, limit: PAGE, signal })
    printTurns(page, chat, person)
  }
}

function printTurns(turns: readonly StoredTurn[], { chain }: Chat, { notes }: Person): void {
  for (const { position, createdAt, tokenCount, messages, metadata } of turns) {
    const time = createdAt.toISOString().slice(0, 16).replace('T', ' ')
    const mark = metadata?.['partial'] === true ? `, ${endOf(metadata['reason'])}` : ''
    notes.write(`${faint(`${position}  ${time} UTC, ${counted(tokenCount, 'token')}${mark}`, notes)}\n`)
    notes.write(`${printable(renderText(messages, chain.memory.framing))}\n`)
  }
}

/** What a chain says of a reply of which only a part was kept. */
function endOf(reason: unknown): string {
  return reason === 'aborted' || reason === 'stopped' ? 'stopped' : 'broken off'
}

async function printWindow({ chain }: Chat, { notes }: Person, signal: AbortSignal): Promise<void> {
  const { conversation, maxTokenLimit: maxTokens, retentionRatio } = chain.memory
  const view = await viewWindow(conversation, { maxTokens, retentionRatio, turns: NEWEST, signal })
  notes.write(`What the model would be given now, under a limit of ${count(maxTokens)} tokens:\n`)
  notes.write(`${drawBars(view, notes)}\n`)
}

async function clear({ chain }: Chat, person: Person, signal: AbortSignal): Promise<void> {
  if (!(await person.confirms('This drops all turns of the conversation, for good.'))) {
    person.notes.write('Nothing was dropped.\n')
    return
  }
  const { turns } = await chain.memory.conversation.clear({ signal })
  person.notes.write(`Dropped: ${counted(turns, 'turn')}.\n`)
}
