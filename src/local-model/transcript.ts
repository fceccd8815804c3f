import type { Message } from '../types.ts'

/** What the built-in model was sent, in whichever form the history came. */
export interface Transcript {
  /** What the person said, oldest first; the last is what is to be answered. */
  readonly said: readonly string[]
  /** All that was said, by either side. What a host tells the model is not counted. */
  readonly messageCount: number
}

/** Reads messages with roles, or LangChain's template: the whole conversation as the text of one message. */
export function transcriptOf(messages: readonly Message[]): Transcript {
  const spoken = messages.filter(({ role }) => role !== 'system' && role !== 'developer')
  const entries = spoken.map((message) => ({ byPerson: message.role === 'user', text: textOf(message) }))
  const [only] = entries
  const read = entries.length === 1 && only?.byPerson && isTemplate(only.text) ? linesOf(only.text) : entries
  return {
    said: read.filter(({ byPerson }) => byPerson).map(({ text }) => text),
    messageCount: read.length,
  }
}

interface Entry {
  readonly byPerson: boolean
  readonly text: string
}

function textOf({ content }: Message): string {
  if (typeof content === 'string') return content
  return (content ?? []).map((part) => (part.type === 'text' ? String(part.text) : '')).join(' ')
}

/** The template asks for the next line: it ends in the prefix of the one who answers. */
function isTemplate(text: string): boolean {
  return /(?:^|\n)Human: /.test(text) && text.trimEnd().endsWith('\nAI:')
}

/** How the line of a message begins. */
const PREFIX = /^(Human|AI|System|Tool):(?: |$)/

/** A text may have line breaks of its own, so a message goes on until the next prefix. */
function linesOf(template: string): Entry[] {
  const lines = template.trimEnd().split('\n').slice(0, -1)
  const conversation = lines.slice(lines.indexOf('Current conversation:') + 1)
  const entries: { prefix: string; lines: string[] }[] = []
  for (const line of conversation) {
    const [start, prefix] = PREFIX.exec(line) ?? []
    if (start !== undefined && prefix !== undefined)
      entries.push({ prefix, lines: [line.slice(start.length)] })
    else entries.at(-1)?.lines.push(line)
  }
  return entries
    .filter(({ prefix }) => prefix !== 'System')
    .map(({ prefix, lines: own }) => ({ byPerson: prefix === 'Human', text: own.join('\n') }))
}
