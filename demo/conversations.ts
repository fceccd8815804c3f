import { basename } from 'node:path'
import { abridged, count, faint, table, title } from '../src/cli/print.ts'
import { Progress } from '../src/cli/progress.ts'
import type { ConversationStore, Message } from '../src/index.ts'
import { fileToRead } from '../src/transfer/files.ts'
import { importConversations, type ImportTotals } from '../src/transfer/import.ts'
import { machine, ms } from './print.ts'

/** Stores the conversations of a file, then shows for each user what a model would be given of their latest one. */
export async function storeAndShow(
  store: ConversationStore,
  { file, limit }: { file: string; limit: number },
): Promise<void> {
  const start = performance.now()
  const totals = await storeFile(store, file)
  const storingMs = performance.now() - start
  console.log(`${count(totals.stored)} turns stored, ${count(totals.already)} there already.`)
  console.log(
    `\nThe latest conversation of each user, under a limit of ${count(limit)} tokens. A turn counts with the line ` +
      'break that ends it; the newest one does not need it.',
  )
  let loadMs = 0
  for (const userId of totals.users) loadMs += await showLatest(store, userId, limit)
  console.log(title('\nSummary'))
  console.log(
    table(
      ['users', 'conversations', 'turns', 'tokens', 'storing', 'a window'],
      [
        [
          count(totals.users.size),
          count(totals.conversations),
          count(totals.stored + totals.already),
          count(totals.tokens),
          `${(storingMs / 1000).toFixed(1)} s`,
          ms(totals.users.size === 0 ? 0 : loadMs / totals.users.size),
        ],
      ],
    ),
  )
  console.log(machine())
}

async function storeFile(store: ConversationStore, file: string): Promise<ImportTotals> {
  const { size, chunks } = await fileToRead(file)
  const progress = new Progress(size, { from: 0, unit: 'bytes', on: process.stdout })
  const totals = await importConversations(store, chunks, {
    userId: 'me',
    sourceName: basename(file),
    afterTurn: ({ bytes }) => progress.to(bytes),
  })
  await progress.to(totals.bytes)
  console.log(`${abridged(file, 60)}: ${progress.finish()}`)
  return totals
}

/** Prints the window of the conversation that the user wrote to last; gives the milliseconds that loading it took. */
async function showLatest(store: ConversationStore, userId: string, limit: number): Promise<number> {
  const [latest] = await store.listConversations(userId, { limit: 1 })
  if (latest === undefined) throw new Error('A user whose turns were just stored has no conversation.')
  const { conversationId } = latest
  const start = performance.now()
  const window = await store.conversation({ userId, conversationId }).loadWindow({ maxTokens: limit })
  const loadMs = performance.now() - start
  const { turns, tokenCount, omittedTurns, omittedTokens } = window
  console.log(title(`\n${abridged(userId, 40)}, ${abridged(conversationId, 40)}`))
  console.log(
    `${count(turns.length)} of ${count(latest.turnCount)} turns given, ${count(tokenCount)} tokens; ` +
      `left out: ${count(omittedTurns)} turns, ${count(omittedTokens)} tokens`,
  )
  if (turns.length === 0) console.log('Not even the newest turn fits the limit.')
  for (const turn of turns) {
    console.log(faint(`  turn ${turn.position}, ${count(turn.tokenCount)} tokens`))
    for (const message of turn.messages) console.log(`    ${messageLine(message)}`)
  }
  return loadMs
}

function messageLine(message: Message): string {
  const width = Math.max(40, (process.stdout.columns ?? 100) - 20)
  return `${message.role.padEnd(10)} ${abridged(`${contentOf(message)}${callsOf(message)}`, width)}`
}

function contentOf({ content }: Message): string {
  if (typeof content === 'string') return content
  return (content ?? []).map((part) => (part.type === 'text' ? part.text : `[${part.type}]`)).join('')
}

function callsOf(message: Message): string {
  if (message.role !== 'assistant') return ''
  return (message.tool_calls ?? [])
    .map((call) =>
      call.type === 'function'
        ? ` → ${call.function.name}(${call.function.arguments})`
        : ` → ${call.custom.name}(${call.custom.input})`,
    )
    .join('')
}
