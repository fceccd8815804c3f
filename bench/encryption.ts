/**
 * What encryption costs: an append, and a load of 50 turns, with and without. Run: `npm run bench:encryption`.
 */
import { encryption } from 'backscroll/encryption'
import { openStore, type Conversation, type Message } from 'backscroll'
import { parseArguments } from './harness/arguments.ts'
import { postgresDatabase, sqliteFile } from './harness/databases.ts'
import { describeMachine } from './harness/machine.ts'
import { ratioOf, spread, takeTurns } from './harness/measure.ts'
import { Report, type Table } from './harness/report.ts'

const given = parseArguments()
const ROUNDS = given.short ? 10 : 1000
const TURNS = 50

/** A question and an answer of some 250 tokens together. */
const TURN: Message[] = [
  { role: 'user', content: 'How was the weather there in the end? '.repeat(5) },
  { role: 'assistant', content: 'It rained on the first day. '.repeat(30) },
]

const codec = encryption({
  keys: { one: new Uint8Array(32).fill(1) },
  userSecret: () => new Uint8Array(32).fill(2),
})

await using file = await sqliteFile()
await using server = await postgresDatabase()
const versions = { SQLite: file.version, PostgreSQL: server.version }
const report = new Report('encryption', given, describeMachine(['better-sqlite3', 'postgres'], versions))
report.table('What encryption costs', [
  ...(await compareOn('SQLite', file.url)),
  ...(await compareOn('Postgres', server.url)),
])
report.write()

async function compareOn(database: string, url: string): Promise<Table['rows']> {
  await using clear = await openStore(url)
  await using encrypted = await openStore(url, { codec })
  const pair = {
    clear: clear.conversation({ userId: 'bench', conversationId: 'clear' }),
    encrypted: encrypted.conversation({ userId: 'bench', conversationId: 'encrypted' }),
  }
  const append = await compare(pair, (conversation) => conversation.append(TURN))
  for (const conversation of Object.values(pair)) {
    for (let turn = 0; turn < TURNS; turn++) await conversation.append(TURN)
    await conversation.rewind({ to: TURNS })
  }
  const load = await compare(pair, (conversation) => conversation.listTurns({ limit: TURNS }))
  return [
    { database, call: 'append', ...append },
    { database, call: `load of ${TURNS} turns`, ...load },
  ]
}

async function compare(
  { clear, encrypted }: Record<'clear' | 'encrypted', Conversation>,
  call: (conversation: Conversation) => Promise<unknown>,
): Promise<Record<string, number>> {
  const times = await takeTurns(
    { clear: () => call(clear), encrypted: () => call(encrypted) },
    { rounds: ROUNDS },
  )
  return {
    'clear, ms': spread(times.clear).median,
    'encrypted, ms': spread(times.encrypted).median,
    ratio: ratioOf(times.encrypted, times.clear),
  }
}
