/**
 * What encryption costs: an append, and a load of 50 turns, with and without. Run: `npm run bench:encryption`, with
 * `DATABASE_URL=postgres://…` on a Postgres as well, whose table names must be free.
 *
 * Medians of many calls in which the two take turns, so the ratios hold on a busy machine; the times do not.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { encryption } from '../src/encryption.ts'
import { openStore, type Conversation, type Message } from '../src/index.ts'

const ROUNDS = 1000
const TURNS = 50
/** Characters of a turn: a question and an answer of some 250 tokens together. */
const CHARACTERS = 1000

const TURN: Message[] = [
  { role: 'user', content: 'How was the weather there in the end? '.repeat(5) },
  { role: 'assistant', content: 'It rained on the first day. '.repeat(30).slice(0, CHARACTERS - 190) },
]

const codec = encryption({
  keys: { one: new Uint8Array(32).fill(1) },
  userSecret: () => new Uint8Array(32).fill(2),
})

async function bench(name: string, url: string): Promise<void> {
  await using clear = await openStore(url)
  await using encrypted = await openStore(url, { codec })
  const key = { userId: 'bench', conversationId: 'clear' }
  const pair = [
    clear.conversation(key),
    encrypted.conversation({ ...key, conversationId: 'encrypted' }),
  ] as const
  await clear.forgetUser('bench')
  await compare(`${name}: append`, pair, (conversation) => conversation.append(TURN))
  for (const conversation of pair) await conversation.rewind({ to: TURNS })
  await compare(`${name}: load of ${TURNS} turns`, pair, async (conversation) => {
    const { turns } = await conversation.loadWindow({ maxTokens: 1_000_000 })
    if (turns.length !== TURNS) throw new Error(`${turns.length} turns were loaded.`)
  })
  await clear.forgetUser('bench')
}

async function compare(
  what: string,
  [clear, encrypted]: readonly [Conversation, Conversation],
  call: (conversation: Conversation) => Promise<unknown>,
): Promise<void> {
  const times: [number[], number[]] = [[], []]
  for (let round = 0; round < ROUNDS; round++) {
    times[0].push(await timed(() => call(clear)))
    times[1].push(await timed(() => call(encrypted)))
  }
  const [without, withIt] = times.map(median) as [number, number]
  const ratio = (withIt / without).toFixed(2)
  console.log(`${what.padEnd(32)} ${without.toFixed(3)} ms, encrypted ${withIt.toFixed(3)} ms: × ${ratio}`)
}

async function timed(call: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await call()
  return performance.now() - start
}

function median(times: readonly number[]): number {
  return times.toSorted((one, other) => one - other)[times.length >> 1]!
}

console.log(
  `${cpus()[0]?.model}, ${availableParallelism()} cores, Node ${process.version}; medians of ${ROUNDS}`,
)
const folder = mkdtempSync(join(tmpdir(), 'backscroll-bench-'))
try {
  await bench('SQLite', `sqlite:${join(folder, 'bench.db')}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
const postgres = process.env['DATABASE_URL']
if (postgres) await bench('Postgres', postgres)
