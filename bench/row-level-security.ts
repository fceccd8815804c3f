/**
 * What row-level security costs: `append` and `loadWindow` against a store with it and one without, on a server of its own.
 * Run: `npx tsx bench/row-level-security.ts`.
 *
 * Both take turns, a connection each, and medians are compared: so the ratio holds on a busy machine; the ms do not.
 */
import { availableParallelism } from 'node:os'
import postgres from 'postgres'
import { openStore, type ConversationStore } from '../src/index.ts'
import { startPostgres } from '../test/support/postgres-server.ts'

const SIZES = [
  { name: '200 B', characters: 200, rounds: 400 },
  { name: '4 KB', characters: 4_000, rounds: 400 },
  { name: '100 KB', characters: 100_000, rounds: 60 },
  { name: '1 MB', characters: 1_000_000, rounds: 20 },
]
const WORDS = 'the quick brown fox jumps over the lazy dog, and "then" some more words follow '

type Kind = 'plain' | 'walled'
const KINDS: readonly Kind[] = ['plain', 'walled']

const server = await startPostgres()
const admin = postgres(server.url, { max: 1, onnotice: () => {} })
await admin.unsafe(`create role app login password 'app'`)
const stores = { plain: await openAsApp('plain'), walled: await openAsApp('walled') }

const [row] = await admin`show server_version`
const { server_version: version } = row as { server_version: string }
console.log(`PostgreSQL ${version}, Node ${process.version}, ${availableParallelism()} cores\n`)
console.log('turn | call | without ms | with ms | ratio\n--|--|--:|--:|--:')
for (const { name, characters, rounds } of SIZES) {
  const content = WORDS.repeat(Math.ceil(characters / WORDS.length)).slice(0, characters)
  const append = (store: ConversationStore) => conversationOf(store, name).append([{ role: 'user', content }])
  // Enough for one turn of any size: in English four characters are a token.
  const maxTokens = Math.max(2000, characters / 4)
  const load = (store: ConversationStore) => conversationOf(store, name).loadWindow({ maxTokens })
  for (const [call, work] of Object.entries({ append, loadWindow: load })) {
    const { plain, walled } = await medians(rounds, work)
    console.log([name, call, plain.toFixed(2), walled.toFixed(2), (walled / plain).toFixed(2)].join(' | '))
  }
}
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

/** Milliseconds of the middle one of so many calls on each store. */
async function medians(
  rounds: number,
  work: (store: ConversationStore) => Promise<unknown>,
): Promise<Record<Kind, number>> {
  const times: Record<Kind, number[]> = { plain: [], walled: [] }
  for (let round = 0; round < rounds; round++) {
    for (const kind of round % 2 === 0 ? KINDS : KINDS.toReversed()) {
      const start = performance.now()
      await work(stores[kind])
      times[kind].push(performance.now() - start)
    }
  }
  const middle = (list: number[]) => list.toSorted((one, other) => one - other)[list.length >> 1]!
  return { plain: middle(times.plain), walled: middle(times.walled) }
}
