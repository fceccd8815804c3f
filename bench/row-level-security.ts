/**
 * What row-level security costs: `append` and `loadWindow` against a store with it and one without, a connection each, on
 * a server of its own. Run: `npm run bench:row-level-security`.
 */
import { openStore, type ConversationStore } from 'backscroll'
import postgres from 'postgres'
import { startPostgres } from '../test/support/postgres-server.ts'
import { parseArguments } from './harness/arguments.ts'
import { describeMachine } from './harness/machine.ts'
import { ratioOf, spread, takeTurns } from './harness/measure.ts'
import { Report } from './harness/report.ts'

const SIZES = [
  { name: '200 B', characters: 200, rounds: 400 },
  { name: '4 KB', characters: 4_000, rounds: 400 },
  { name: '100 KB', characters: 100_000, rounds: 60 },
  { name: '1 MB', characters: 1_000_000, rounds: 20 },
]
const WORDS = 'the quick brown fox jumps over the lazy dog, and "then" some more words follow '

type Kind = 'plain' | 'walled'
const KINDS: readonly Kind[] = ['plain', 'walled']

const given = parseArguments()
const server = await startPostgres()
const admin = postgres(server.url, { max: 1, onnotice: () => {} })
await admin.unsafe(`create role app login password 'app'`)
const stores = { plain: await openAsApp('plain'), walled: await openAsApp('walled') }

const [row] = await admin`show server_version`
const { server_version: version } = row as { server_version: string }
const report = new Report(
  'row-level-security',
  given,
  describeMachine(['postgres'], { PostgreSQL: version.split(' ')[0]! }),
)
const rows: Record<string, string | number>[] = []
for (const { name, characters, rounds } of given.short ? SIZES.slice(0, 2) : SIZES) {
  const content = WORDS.repeat(Math.ceil(characters / WORDS.length)).slice(0, characters)
  const append = (store: ConversationStore) => conversationOf(store, name).append([{ role: 'user', content }])
  // Enough for one turn of any size: in English four characters are a token.
  const maxTokens = Math.max(2000, characters / 4)
  const load = (store: ConversationStore) => conversationOf(store, name).loadWindow({ maxTokens })
  for (const [call, work] of Object.entries({ append, loadWindow: load })) {
    const times = await takeTurns(
      { plain: () => work(stores.plain), walled: () => work(stores.walled) },
      { rounds: given.short ? 10 : rounds },
    )
    rows.push({
      turn: name,
      call,
      'without, ms': spread(times.plain).median,
      'with, ms': spread(times.walled).median,
      ratio: ratioOf(times.walled, times.plain),
    })
  }
}
report.table('What row-level security costs', rows)
report.write()
for (const kind of KINDS) await stores[kind].close()
await admin.end()
await server.stop()

async function openAsApp(kind: Kind): Promise<ConversationStore> {
  await admin.unsafe(`create database ${kind}`)
  const url = new URL(server.url)
  url.pathname = `/${kind}`
  await using owner = await openStore(url.href)
  if (kind === 'walled') await owner.migrate({ rowLevelSecurity: { role: 'app' } })
  const client = postgres(url.href, { max: 1 })
  await client.unsafe('grant all on all tables in schema public to app')
  await client.end()
  url.username = url.password = 'app'
  return openStore(url.href, { maxConnections: 1, rowLevelSecurity: kind === 'walled' })
}

function conversationOf(store: ConversationStore, conversationId: string) {
  return store.conversation({ userId: 'ada', conversationId })
}
