import type { Command } from './command.ts'

/** A command as `backscroll --help` lists it, and how it is loaded: none loads what only another one needs. */
export interface Listed {
  readonly summary: string
  load(): Promise<{ readonly command: Command }>
}

/** The commands by name, in the order of the help. */
export const COMMANDS: ReadonlyMap<string, Listed> = new Map<string, Listed>([
  ['chat', { summary: 'talk in the terminal; it remembers', load: () => import('./chat.ts') }],
  ['list', { summary: "a user's conversations, newest first", load: () => import('./list.ts') }],
  [
    'show',
    {
      summary: 'what a model would be given of a conversation, and what not',
      load: () => import('./show.ts'),
    },
  ],
  ['export', { summary: 'conversations as JSON lines', load: () => import('./export.ts') }],
  ['import', { summary: "JSON lines, or ChatGPT's conversations.json", load: () => import('./import.ts') }],
  [
    'recount',
    { summary: "count a conversation's turns for another model", load: () => import('./recount.ts') },
  ],
  [
    'reencrypt',
    {
      summary: 'encrypt with the current key what is encrypted with another',
      load: () => import('./reencrypt.ts'),
    },
  ],
  ['forget', { summary: 'erase all that is stored of a user', load: () => import('./forget.ts') }],
  ['migrate', { summary: 'make the tables, or bring them up to date', load: () => import('./migrate.ts') }],
])
