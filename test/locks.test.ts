import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openStore, type ConversationStore, type OpenStoreOptions } from '../src/index.ts'
import { expectConsistent, oneTo, runSql, turnOf } from './support/inspect.ts'
import type { HolderOptions } from './support/processes/holder.ts'
import { start, startTogether, type Program } from './support/processes/start.ts'
import type { WriterOptions } from './support/processes/writer.ts'

const KEY = { userId: 'ada', conversationId: 'c' }
const OTHER = { userId: 'grace', conversationId: 'c' }

/** The log is written back into the database whenever it holds so many bytes: SQLite's 1,000 pages. */
const WRITTEN_BACK_AT = 1000 * 4096

/** A database file with one turn of each of two users. */
async function fileWithATurn(mode: 'wal' | 'delete' = 'wal') {
  const folder = mkdtempSync(join(tmpdir(), 'backscroll-locks-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'chat.db')
  const database = { name: 'sqlite', url: `sqlite:${path}` } as const
  const store = await openStore(database.url)
  for (const key of [KEY, OTHER]) await store.conversation(key).append(turnOf('one'))
  await store.close()
  await runSql(database, `pragma journal_mode = ${mode}`)
  return { path, database, ...database }
}

async function opened(
  url: string,
  options: OpenStoreOptions = { deadlineMs: 20_000 },
): Promise<ConversationStore> {
  const store = await openStore(url, options)
  onTestFinished(() => store.close())
  return store
}

/** Another process that holds what these statements lock, until it is told to go on or killed. */
async function holder(path: string, statements: string): Promise<Program> {
  const program = start('holder', { path, statements } satisfies HolderOptions)
  expect(await program.next()).toBe('ready')
  return program
}

async function release(program: Program): Promise<void> {
  program.go()
  expect(await program.ended()).toBe(0)
}

/**
 * Lets a timer of this process fire so many times, some 10 ms apart. Were the process held up by the calls that wait for
 * a lock, for longer than the 20 ms of one try, they would meet their deadline before this ends.
 */
async function ticks(count: number): Promise<void> {
  for (const _ of oneTo(count)) await setTimeout(10)
}

/** Every kind of write, on two users' conversations. */
const WRITES: Record<string, (store: ConversationStore) => Promise<unknown>> = {
  append: (store) => store.conversation(KEY).append(turnOf('two')),
  'append with a key': (store) => store.conversation(KEY).append(turnOf('three'), { idempotencyKey: 'k' }),
  setMetadata: (store) => store.conversation(KEY).setMetadata({ written: true }),
  rewind: (store) => store.conversation(OTHER).rewind({ to: 0 }),
  recount: (store) => store.conversation(OTHER).recount({ encoding: 'gpt2' }),
  forgetUser: (store) => store.forgetUser('grace'),
}
const READS: typeof WRITES = {
  loadWindow: (store) => store.conversation(KEY).loadWindow({ maxTokens: 100 }),
  listTurns: (store) => store.conversation(KEY).listTurns(),
  findTurn: (store) => store.conversation(KEY).findTurn('k'),
  listConversations: (store) => store.listConversations('ada'),
}

const all = (calls: typeof WRITES, store: ConversationStore) =>
  Promise.all(Object.values(calls).map((call) => call(store)))

describe('while another process holds the write lock', () => {
  it('writes wait, this process goes on, reads are answered, and each write is done once', async () => {
    const { path, database, url } = await fileWithATurn()
    const store = await opened(url)
    const other = await holder(path, 'begin exclusive')
    let isWaiting = true
    const writing = all(WRITES, store).finally(() => (isWaiting = false))
    await all(READS, store)
    await ticks(50)
    expect(isWaiting).toBe(true)
    await release(other)
    await writing
    const rows = await expectConsistent(database, KEY)
    expect(rows.map(({ content }) => content).toSorted()).toEqual(['one', 'three', 'two'])
    expect(await store.listConversations('ada')).toMatchObject([{ metadata: { written: true } }])
    expect(await expectConsistent(database, OTHER)).toEqual([])
  })

  it('a hundred writes hold this process up no longer than one', async () => {
    const { path, database, url } = await fileWithATurn()
    const store = await opened(url)
    const other = await holder(path, 'begin exclusive')
    const writing = Promise.all(
      oneTo(100).map((turn) => store.conversation(KEY).append(turnOf(`turn ${turn}`))),
    )
    // Were each to wait for 20 ms in its turn, this would take 2 seconds a tick.
    await ticks(20)
    await release(other)
    expect((await writing).map(({ position }) => position).toSorted((one, next) => one - next)).toEqual(
      oneTo(101).slice(1),
    )
    expect(await expectConsistent(database, KEY)).toHaveLength(101)
  })

  it('for longer than the deadline, each write says that nothing was written, and nothing was', async () => {
    const { path, database, url } = await fileWithATurn()
    const store = await opened(url, { deadlineMs: 300 })
    const other = await holder(path, 'begin immediate')
    for (const [name, write] of Object.entries(WRITES)) {
      await expect(write(store), name).rejects.toMatchObject({
        name: 'DatabaseUnavailableError',
        code: 'DATABASE_UNAVAILABLE',
        mayBeStored: false,
        cause: { code: 'SQLITE_BUSY' },
      })
    }
    await release(other)
    for (const key of [KEY, OTHER]) expect(await expectConsistent(database, key)).toHaveLength(1)
    expect(await store.listConversations('ada')).toMatchObject([{ turnCount: 1, metadata: null }])
    // The same calls work now.
    for (const write of Object.values(WRITES)) await write(store)
  })

  it('the stores of several processes wait for it too, and its death frees it', async () => {
    const { path, database, url } = await fileWithATurn()
    const other = await holder(path, 'begin immediate; delete from backscroll_turns')
    const writers = await startTogether(
      'writer',
      oneTo(3).map((process): WriterOptions => {
        return { ...KEY, url, text: `process ${process}`, turns: 20, callers: 4 }
      }),
    )
    await ticks(30)
    other.process.kill('SIGKILL')
    const acknowledged = (await Promise.all(writers.map((writer) => writer.rest()))).flat()
    for (const writer of writers) expect(await writer.ended()).toBe(0)
    expect(acknowledged).toHaveLength(60)
    const rows = await expectConsistent(database, KEY)
    expect(rows.map(({ position }) => position)).toEqual(oneTo(61))
    for (const { position, content } of acknowledged as { position: number; content: string }[]) {
      expect(rows[position - 1]).toMatchObject({ content })
    }
  })

  it('a new file is made, with its tables, once the lock is free', async () => {
    const { path } = await fileWithATurn()
    const fresh = `${path}.new`
    const other = await holder(fresh, 'begin exclusive')
    const opening = opened(`sqlite:${fresh}`)
    await ticks(30)
    await release(other)
    expect(await (await opening).conversation(KEY).append(turnOf('one'))).toMatchObject({ position: 1 })
  })
})

describe('while another process reads without end', () => {
  it('writes go on, though the log cannot be emptied', async () => {
    const { path, database, url } = await fileWithATurn()
    const store = await opened(url)
    const reader = await holder(path, 'begin; select count(*) from backscroll_turns')
    const content = 'lorem ipsum '.repeat(3000)
    for (const turn of oneTo(150)) {
      expect(await store.conversation(KEY).append(turnOf(content))).toMatchObject({ position: turn + 1 })
    }
    // Twice what it would ever hold if it could be emptied.
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(1.5 * WRITTEN_BACK_AT)
    await release(reader)
    expect(await expectConsistent(database, KEY)).toHaveLength(151)
  })
})

// A host's database need not have a write-ahead log, nor a copy that `vacuum into` made.
describe('without a write-ahead log', () => {
  it.each([
    ['a writer in another process', 'begin exclusive', { ...WRITES, ...READS }],
    ['a reader in another process', 'begin; select count(*) from backscroll_turns', WRITES],
  ])('calls wait for %s, and this process goes on', async (_, statements, calls) => {
    const { path, database, url } = await fileWithATurn('delete')
    const store = await opened(url)
    const other = await holder(path, statements)
    let isWaiting = true
    const calling = all(calls, store).finally(() => (isWaiting = false))
    await ticks(30)
    expect(isWaiting).toBe(true)
    await release(other)
    await calling
    expect(await expectConsistent(database, KEY)).toHaveLength(3)
    expect(await expectConsistent(database, OTHER)).toEqual([])
    expect(await runSql(database, 'pragma journal_mode')).toEqual([{ journal_mode: 'delete' }])
  })

  it('a commit that a reader stops for longer than the deadline is undone', async () => {
    const { path, database, url } = await fileWithATurn('delete')
    const store = await opened(url, { deadlineMs: 300 })
    const reader = await holder(path, 'begin; select count(*) from backscroll_turns')
    for (const [name, write] of Object.entries(WRITES)) {
      await expect(write(store), name).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
        cause: { code: 'SQLITE_BUSY' },
      })
    }
    await all(READS, store)
    await release(reader)
    for (const key of [KEY, OTHER]) expect(await expectConsistent(database, key)).toHaveLength(1)
    expect(await store.conversation(KEY).append(turnOf('two'))).toMatchObject({ position: 2 })
  })

  it('opening waits for a writer in another process', async () => {
    const { path, url } = await fileWithATurn('delete')
    const other = await holder(path, 'begin exclusive')
    const opening = opened(url)
    await ticks(30)
    await release(other)
    expect(await (await opening).conversation(KEY).listTurns()).toHaveLength(1)
  })
})
