import { execFile } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { sql } from 'drizzle-orm'
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { connect } from '../src/dialect/sqlite/connection.ts'
import { explain } from '../src/dialect/sqlite/failure.ts'
import { BackscrollError, openStore, type ConversationStore } from '../src/index.ts'
import { sqliteHost } from './support/hosts.ts'
import { expectConsistent, oneTo, runSql, turnOf } from './support/inspect.ts'
import type { FillerOptions, Stopped } from './support/processes/filler.ts'
import type { GuestOptions } from './support/processes/guest.ts'
import { start } from './support/processes/start.ts'
import { randomFrom } from './support/texts.ts'

const KEY = { userId: 'ada', conversationId: 'c' }
const OTHER = { userId: 'ada', conversationId: 'other' }
const PAGE = 4096
/** The log is written back into the database whenever it holds so many bytes: SQLite's 1,000 pages. */
const WRITTEN_BACK_AT = 1000 * PAGE

const at = (path: string) => ({ name: 'sqlite', url: `sqlite:${path}` }) as const

/** A folder that is gone when the test ends. */
function folder(): string {
  const made = realpathSync(mkdtempSync(join(tmpdir(), 'backscroll-files-')))
  onTestFinished(() => rmSync(made, { recursive: true, force: true }))
  return made
}

/** A store that is closed when the test ends. */
async function opened(path: string): Promise<ConversationStore> {
  const store = await openStore(`sqlite:${path}`, { deadlineMs: 2000 })
  onTestFinished(() => store.close())
  return store
}

/** A database file of 23 pages, closed: two conversations of 60 turns each, which were appended in turn. */
function filled(): string {
  const path = join(folder(), 'chat.db')
  writeFileSync(path, template)
  return path
}

let template: Buffer
beforeAll(async () => {
  const made = mkdtempSync(join(tmpdir(), 'backscroll-files-'))
  const store = await openStore(`sqlite:${join(made, 'chat.db')}`)
  for (const turn of oneTo(60)) {
    for (const key of [KEY, OTHER]) await store.conversation(key).append(longTurn(turn))
  }
  await store.close()
  template = readFileSync(join(made, 'chat.db'))
  rmSync(made, { recursive: true })
})

const longTurn = (turn: number) => turnOf(`turn ${turn} ${'lorem ipsum '.repeat(25)}`)

/** What came of a call: it ended well, or its error's code and that of its cause. */
async function outcome(call: () => Promise<void>): Promise<string> {
  try {
    await call()
    return 'right'
  } catch (error) {
    if (!(error instanceof BackscrollError)) throw error
    return `${error.code} ${(error.cause as { code?: string }).code}`
  }
}

describe('a full disk', () => {
  it('stops an append whole; what was acknowledged stays, and the store goes on once there is room', async () => {
    await using host = sqliteHost()
    host.client.pragma('synchronous = full')
    await host.store.migrate()
    const conversation = host.store.conversation(KEY)
    host.client.pragma(`max_page_count = ${Number(host.client.pragma('page_count', { simple: true })) + 30}`)
    let acknowledged = 0
    const fill = async () => {
      for (;;) acknowledged = (await conversation.append(longTurn(acknowledged + 1))).position
    }
    const full = { name: 'DatabaseError', code: 'DATABASE_ERROR', cause: { code: 'SQLITE_FULL' } }
    await expect(fill()).rejects.toMatchObject(full)
    expect(acknowledged).toBeGreaterThan(20)
    await expect(conversation.setMetadata({ note: 'x'.repeat(50_000) })).rejects.toMatchObject(full)
    await expect(conversation.append(longTurn(0), { idempotencyKey: 'k' })).rejects.toMatchObject({
      ...full,
      message: expect.stringContaining('Make room') as string,
    })
    expect(await expectConsistent(host, KEY)).toHaveLength(acknowledged)
    expect((await conversation.loadWindow({ maxTokens: 100_000 })).turns).toHaveLength(acknowledged)

    host.client.pragma('max_page_count = 100000')
    const next = await conversation.append(longTurn(0), { idempotencyKey: 'k' })
    expect(next).toMatchObject({ position: acknowledged + 1, replayed: false })
    expect(await expectConsistent(host, KEY)).toHaveLength(acknowledged + 1)
  })

  it('loses nothing when not even the log can be written back, neither then nor when the store is closed', async () => {
    const path = join(folder(), 'chat.db')
    const printed = await fillUnderLimit({ ...KEY, url: `sqlite:${path}`, characters: 40_000 })
    const { listed, ...error } = printed.pop() as Stopped
    expect(error.code).toBe('DATABASE_ERROR')
    // A limit is no full disk; SQLite tells them apart.
    expect(error.cause).toMatch(/^SQLITE_(IOERR_WRITE|FULL)$/)
    expect(error.message).toMatch(/(limit on the size of files|is full).*Nothing was written/)
    const acknowledged = printed.length
    expect(printed).toEqual(oneTo(acknowledged))
    expect(listed).toBe(acknowledged)
    // What shows that the fault was met: the log was due to be written back, and stands there after the end.
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(WRITTEN_BACK_AT)

    const contents = (await expectConsistent(at(path), KEY)).map(({ content }) => content.split(' word')[0])
    expect(contents).toEqual(oneTo(acknowledged).map((turn) => `turn ${turn}`))
    const store = await opened(path)
    expect(await store.conversation(KEY).append(turnOf('room again'))).toMatchObject({
      position: acknowledged + 1,
    })
  })

  /** What a filler printed that may write no file of more than 12,288 blocks: 6 MB, or 12 where a block has 1,024 bytes. */
  async function fillUnderLimit(options: FillerOptions): Promise<unknown[]> {
    const program = fileURLToPath(new URL('support/processes/filler.ts', import.meta.url))
    const command = [process.execPath, '--import', 'tsx', program, JSON.stringify(options)]
    const { stdout } = await promisify(execFile)('sh', [
      '-c',
      'ulimit -f 12288 && exec "$@"',
      'sh',
      ...command,
    ])
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
  }
})

describe('a file that this process may not write', () => {
  it('is read where that can be, and never appended to', async () => {
    const readOnly = { code: 'DATABASE_ERROR', cause: 'SQLITE_READONLY' }
    const readOnlyFolder = { code: 'DATABASE_ERROR', cause: 'SQLITE_READONLY_DIRECTORY' }
    const outOfReach = { code: 'DATABASE_ERROR', cause: 'SQLITE_CANTOPEN' }
    const cases = [
      { file: 0o666, folder: 0o777, outcomes: [{ gave: 61 }, { gave: 61 }] },
      { file: 0o444, folder: 0o777, outcomes: [readOnly, { gave: 60 }] },
      { file: 0o666, folder: 0o555, outcomes: [readOnlyFolder] },
      { file: 0o000, folder: 0o777, outcomes: [outOfReach] },
      { file: 0o666, folder: 0o000, outcomes: [outOfReach] },
    ]
    const paths = cases.map((modes) => {
      const path = filled()
      chmodSync(path, modes.file)
      chmodSync(dirname(path), modes.folder)
      return path
    })
    const guest = start('guest', {
      ...KEY,
      urls: paths.map((path) => `sqlite:${path}`),
    } satisfies GuestOptions)
    expect(await guest.rest()).toEqual(cases.map(({ outcomes }) => outcomes))
    expect(await guest.ended()).toBe(0)
    for (const [index, path] of paths.entries()) {
      chmodSync(dirname(path), 0o777)
      chmodSync(path, 0o666)
      expect(await expectConsistent(at(path), KEY)).toHaveLength(index === 0 ? 61 : 60)
    }
  })
})

describe('a file that is no database', () => {
  const NOT_A_DATABASE = 'DATABASE_ERROR SQLITE_NOTADB'
  const damages: Record<string, [string, (path: string) => void]> = {
    'its first bytes are overwritten': [
      NOT_A_DATABASE,
      (path) =>
        writeFileSync(path, Buffer.concat([Buffer.alloc(100, 0x5a), readFileSync(path).subarray(100)])),
    ],
    'it is of another format': [NOT_A_DATABASE, (path) => writeFileSync(path, 'PK\u0003\u0004'.repeat(9999))],
    'it is a short text': [NOT_A_DATABASE, (path) => writeFileSync(path, 'hello\n')],
    'it ends within its header': ['DATABASE_ERROR SQLITE_CORRUPT', (path) => truncateSync(path, 50)],
    'it ends within a page': ['DATABASE_ERROR SQLITE_CORRUPT', (path) => truncateSync(path, PAGE + 900)],
    'it lost its last page': [
      'DATABASE_ERROR SQLITE_CORRUPT',
      (path) => truncateSync(path, statSync(path).size - PAGE),
    ],
  }

  it.each(Object.entries(damages))(
    'is refused when it is opened, and left as it is: %s',
    async (_, [code, damage]) => {
      const path = filled()
      damage(path)
      const before = readFileSync(path)
      for (const migrate of [true, false]) {
        const error = await outcome(async () => void (await openStore(`sqlite:${path}`, { migrate })))
        expect(error).toBe(code)
      }
      expect(readFileSync(path).equals(before)).toBe(true)
    },
  )

  it.each([
    ['in a folder that is not there', (path: string) => join(path, '../missing/chat.db')],
    ['below a file', (path: string) => join(path, 'chat.db')],
    ['that is a folder', (path: string) => join(path, '..')],
  ])('is refused when it is opened: a path %s', async (_, pathOf) => {
    const path = pathOf(filled())
    await expect(openStore(`sqlite:${path}`)).rejects.toMatchObject({
      code: 'DATABASE_ERROR',
      message: expect.stringContaining('check that its folder exists') as string,
    })
  })

  it('but empty is a new one', async () => {
    const path = filled()
    truncateSync(path, 0)
    const store = await opened(path)
    expect(await store.listConversations('ada')).toEqual([])
    expect(await store.conversation(KEY).append(turnOf('hi'))).toMatchObject({ position: 1 })
  })
})

describe('a damaged page', () => {
  it.each(['zeros', 'noise'])(
    'of %s makes a call fail or leaves it right, whichever page it is: never a shorter conversation',
    async (kind) => {
      const path = filled()
      const good = readFileSync(path)
      const noise = randomFrom(7)
      const tally = { right: 0, refused: 0 }
      for (let page = 0; page < good.length / PAGE; page++) {
        const bytes = Buffer.from(good)
        for (let index = page * PAGE; index < (page + 1) * PAGE; index++)
          bytes[index] = kind === 'zeros' ? 0 : noise.below(256)
        const copy = join(folder(), 'chat.db')
        writeFileSync(copy, bytes)
        let store: ConversationStore | undefined
        const results = [await outcome(async () => void (store = await openStore(`sqlite:${copy}`)))]
        for (const key of store ? [KEY, OTHER] : []) {
          const conversation = store!.conversation(key)
          const expectWhole = (turns: readonly unknown[]) => expect(turns, `page ${page}`).toHaveLength(60)
          results.push(
            await outcome(async () =>
              expectWhole((await conversation.loadWindow({ maxTokens: 100_000 })).turns),
            ),
            await outcome(async () => expectWhole(await conversation.listTurns())),
            await outcome(async () => {
              const { position } = await conversation.append(turnOf('next'))
              expect(position).toBe(61)
              expect(await conversation.listTurns({ after: 60 })).toHaveLength(1)
            }),
          )
        }
        await store?.close()
        for (const result of results) {
          if (result !== 'right')
            expect(result, `page ${page}`).toMatch(/^DATABASE_ERROR SQLITE_(CORRUPT|NOTADB)/)
          tally[result === 'right' ? 'right' : 'refused']++
        }
      }
      expect(tally.refused).toBeGreaterThan(20)
      expect(tally.right).toBeGreaterThan(20)
    },
  )

  it('leaves the conversations readable that have no part in it', async () => {
    const path = filled()
    const store = await openStore(`sqlite:${path}`)
    // Enough that it has pages of its own.
    const last = store.conversation({ ...KEY, conversationId: 'last' })
    for (const turn of oneTo(60)) await last.append(longTurn(turn))
    await store.close()
    const bytes = readFileSync(path)
    const page = Math.floor(bytes.indexOf('turn 30 ') / PAGE) * PAGE
    writeFileSync(path, bytes.fill(0, page, page + PAGE))
    const damaged = await opened(path)
    const load = async (conversationId: string, maxTokens: number) =>
      (await damaged.conversation({ ...KEY, conversationId }).loadWindow({ maxTokens })).turns.length
    await expect(load('c', 100_000)).rejects.toMatchObject({ cause: { code: 'SQLITE_CORRUPT' } })
    expect(await load('last', 100_000)).toBe(60)
    // As is a window of the same conversation that does not reach back so far.
    expect(await load('c', 500)).toBeGreaterThan(1)
  })
})

describe('a log that a killed process left behind', () => {
  /** A database and its log as they are on the disk while a store is open that wrote so many turns. */
  async function killed(turns: number): Promise<string> {
    const path = join(folder(), 'chat.db')
    const store = await opened(path)
    for (const turn of oneTo(turns)) await store.conversation(KEY).append(longTurn(turn))
    const copy = join(folder(), 'chat.db')
    for (const ending of ['', '-wal']) copyFileSync(path + ending, copy + ending)
    return copy
  }

  it('is read by whoever opens the file next', async () => {
    const store = await opened(await killed(30))
    expect(await store.conversation(KEY).listTurns()).toHaveLength(30)
    expect(await store.conversation(KEY).append(turnOf('next'))).toMatchObject({ position: 31 })
  })

  it('gives the turns before the damage, whole, wherever it was cut or overwritten', async () => {
    const path = await killed(30)
    const { size } = statSync(`${path}-wal`)
    const random = randomFrom(11)
    const found: number[] = []
    for (const kind of ['cut', 'overwritten']) {
      for (const _ of oneTo(10)) {
        const copy = join(folder(), 'chat.db')
        for (const ending of ['', '-wal']) copyFileSync(path + ending, copy + ending)
        // The tables are made within the first fifth.
        const offset = Math.floor(size / 5) + random.below(Math.floor((size * 4) / 5))
        const log = readFileSync(`${copy}-wal`)
        writeFileSync(
          `${copy}-wal`,
          kind === 'cut' ? log.subarray(0, offset) : log.fill(0x5a, offset, offset + 9),
        )
        const rows = await expectConsistent(at(copy), KEY)
        expect(rows.map(({ position }) => position)).toEqual(oneTo(rows.length))
        const store = await opened(copy)
        expect(await store.conversation(KEY).append(turnOf('next'))).toMatchObject({
          position: rows.length + 1,
        })
        found.push(rows.length)
      }
    }
    expect(Math.min(...found)).toBeLessThan(15)
    expect(Math.max(...found)).toBeLessThan(30)
  })

  it('is passed over when it holds nothing of SQLite’s', async () => {
    const path = filled()
    writeFileSync(`${path}-wal`, 'garbage '.repeat(9999))
    const store = await opened(path)
    expect(await store.conversation(KEY).listTurns()).toHaveLength(60)
    expect(await store.conversation(KEY).append(turnOf('next'))).toMatchObject({ position: 61 })
  })
})

describe('a file that is moved, deleted or replaced while a store has it open', () => {
  const GONE = {
    name: 'DatabaseError',
    code: 'DATABASE_ERROR',
    message: expect.stringMatching(/moved, deleted or replaced.*Nothing was .*open it again/) as string,
  }
  const reads: Record<string, (store: ConversationStore) => Promise<unknown>> = {
    loadWindow: (store) => store.conversation(KEY).loadWindow({ maxTokens: 1000 }),
    listTurns: (store) => store.conversation(KEY).listTurns(),
    findTurn: (store) => store.conversation(KEY).findTurn('k'),
    listConversations: (store) => store.listConversations('ada'),
  }
  const writes: Record<string, (store: ConversationStore) => Promise<unknown>> = {
    append: (store) => store.conversation(KEY).append(turnOf('lost')),
    'append with a key': (store) => store.conversation(KEY).append(turnOf('lost'), { idempotencyKey: 'k' }),
    rewind: (store) => store.conversation(KEY).rewind({ to: 1 }),
    recount: (store) => store.conversation(KEY).recount({ encoding: 'gpt2' }),
    setMetadata: (store) => store.conversation(KEY).setMetadata({ lost: true }),
    forgetUser: (store) => store.forgetUser('ada'),
  }

  /** A store that has appended a turn, the path that it was opened by, and its folder. */
  async function inUse(pathIn = (parent: string) => join(parent, 'chat.db')) {
    const parent = join(folder(), 'data')
    mkdirSync(parent)
    const path = pathIn(parent)
    const store = await opened(path)
    await store.conversation(KEY).append(turnOf('one'))
    return { parent, path, store }
  }

  async function expectRefused(store: ConversationStore, calls: typeof writes): Promise<void> {
    for (const [name, call] of Object.entries(calls))
      await expect(call(store), name).rejects.toMatchObject(GONE)
  }

  it('refuses every call when it was deleted, since nobody would ever find what was written', async () => {
    const { path, store } = await inUse()
    unlinkSync(path)
    await expectRefused(store, { ...writes, ...reads })
    await store.close()
    expect(existsSync(path)).toBe(false)
  })

  it('goes on when it is moved away and put back, with no turn in between', async () => {
    const { path, store } = await inUse()
    renameSync(path, `${path}.away`)
    await expectRefused(store, { ...writes, ...reads })
    renameSync(`${path}.away`, path)
    expect(await store.conversation(KEY).append(turnOf('two'))).toMatchObject({ position: 2 })
    expect((await expectConsistent(at(path), KEY)).map(({ content }) => content)).toEqual(['one', 'two'])
  })

  it('refuses every call when its folder was moved', async () => {
    const { parent, path, store } = await inUse()
    renameSync(parent, `${parent}-away`)
    await expectRefused(store, { ...writes, ...reads })
    renameSync(`${parent}-away`, parent)
    expect(await expectConsistent(at(path), KEY)).toHaveLength(1)
  })

  it('refuses every call when another file took its place, and leaves that one alone', async () => {
    const { path, store } = await inUse()
    const other = filled()
    for (const ending of ['-wal', '-shm']) unlinkSync(path + ending)
    renameSync(other, path)
    await expectRefused(store, { ...writes, ...reads })
    const successor = await opened(path)
    expect(await successor.conversation(KEY).append(turnOf('next'))).toMatchObject({ position: 61 })
    // Closing the old store takes nothing away from the new one: its log, above all.
    await store.close()
    expect(await successor.conversation(KEY).append(turnOf('next'))).toMatchObject({ position: 62 })
    expect(await expectConsistent(at(path), KEY)).toHaveLength(62)
  })

  it('refuses every call when the link to it leads elsewhere now', async () => {
    const other = filled()
    const { parent, path, store } = await inUse((within) => {
      symlinkSync(join(within, 'target.db'), join(within, 'link.db'))
      return join(within, 'link.db')
    })
    // The log stands beside the file, not beside the link.
    expect(existsSync(join(parent, 'target.db-wal'))).toBe(true)
    unlinkSync(path)
    symlinkSync(other, path)
    await expectRefused(store, { ...writes, ...reads })
    expect(await expectConsistent(at(other), KEY)).toHaveLength(60)
    expect(await expectConsistent(at(join(parent, 'target.db')), KEY)).toHaveLength(1)
  })

  it.each(['-wal', '-shm'])(
    'takes no more writes when its %s is gone; closing saves what that held',
    async (ending) => {
      const { path, store } = await inUse()
      unlinkSync(path + ending)
      await expectRefused(store, writes)
      for (const read of Object.values(reads)) await read(store)
      await store.close()
      expect(await expectConsistent(at(path), KEY)).toHaveLength(1)
      expect(await (await opened(path)).conversation(KEY).append(turnOf('two'))).toMatchObject({
        position: 2,
      })
    },
  )

  it('says that the outcome is unknown when it happens during a write', async () => {
    const { path, store } = await inUse()
    const now = Date.now.bind(Date)
    // The clock is read in the middle of the transaction.
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => {
      rmSync(path, { force: true })
      return now()
    })
    onTestFinished(() => clock.mockRestore())
    for (const options of [{}, { idempotencyKey: 'k' }]) {
      await expect(store.conversation(KEY).append(turnOf('lost'), options)).rejects.toMatchObject(
        options.idempotencyKey === undefined ? { code: 'OUTCOME_UNKNOWN' } : GONE,
      )
    }
    expect(existsSync(path)).toBe(false)
  })

  it('is not seen in a blank around the path, such as a line break that came with a variable', async () => {
    await using store = await openStore(`sqlite:${join(folder(), 'chat.db')}\n`)
    const conversation = store.conversation({ userId: 'ada', conversationId: 'c' })
    expect(await conversation.append(turnOf('Hello.'))).toMatchObject({ position: 1 })
    expect(await conversation.listTurns()).toHaveLength(1)
  })

  it('is not seen where there is none: the process changed its folder, or the database is in memory', async () => {
    const before = process.cwd()
    onTestFinished(() => process.chdir(before))
    const first = folder()
    process.chdir(first)
    const stores = await Promise.all(['chat.db', './file:chat.db', ':memory:'].map(opened))
    process.chdir(folder())
    for (const store of stores) {
      expect(await store.conversation(KEY).append(turnOf('one'))).toMatchObject({ position: 1 })
      expect(await store.conversation(KEY).listTurns()).toHaveLength(1)
    }
    expect(existsSync(join(first, 'file:chat.db'))).toBe(true)
  })

  it('is told by SQLite itself on a host’s connection without a write-ahead log', async () => {
    await using host = sqliteHost()
    host.client.pragma('journal_mode = delete')
    await host.store.migrate()
    await host.store.conversation(KEY).append(turnOf('one'))
    unlinkSync(host.client.name)
    await expect(host.store.conversation(KEY).append(turnOf('lost'))).rejects.toMatchObject({
      code: 'DATABASE_ERROR',
      message: expect.stringMatching(/moved, deleted or replaced.*Open it again/) as string,
      cause: { code: 'SQLITE_READONLY_DBMOVED' },
    })
  })
})

describe('what was acknowledged', () => {
  /** `pragma synchronous` at which SQLite waits for the disk also where it has no write-ahead log. */
  const EXTRA = 3

  it('is on the disk, by the settings of every connection that a store opens', async () => {
    const path = join(folder(), 'chat.db')
    const settings = async () => {
      const { session, close } = await connect(path)
      const [durability] = session.all<object>(sql`pragma synchronous`)
      const [journal] = session.all<object>(sql`pragma journal_mode`)
      close()
      return { ...durability, ...journal }
    }
    expect(await settings()).toEqual({ synchronous: EXTRA, journal_mode: 'delete' })
    await (await openStore(`sqlite:${path}`)).close()
    expect(await settings()).toEqual({ synchronous: EXTRA, journal_mode: 'wal' })
    // Another program takes the log away; `vacuum into` gives such a copy as well.
    await runSql(at(path), 'pragma journal_mode = delete')
    expect(await settings()).toEqual({ synchronous: EXTRA, journal_mode: 'delete' })
  })

  it.each(['wal', 'delete'])(
    'is in a copy of the files that is made right then, in mode %s',
    async (mode) => {
      const path = filled()
      await runSql(at(path), `pragma journal_mode = ${mode}`)
      const store = await opened(path)
      const random = randomFrom(5)
      for (const turn of oneTo(40)) {
        const text = `turn ${turn} ${'word '.repeat(random.below(4000))}`
        await store.conversation(KEY).append(turnOf(text))
        const copy = join(folder(), 'chat.db')
        for (const ending of ['', '-wal', '-journal']) {
          if (existsSync(path + ending)) copyFileSync(path + ending, copy + ending)
        }
        const rows = await expectConsistent(at(copy), KEY)
        expect(rows).toHaveLength(60 + turn)
        expect(rows.at(-1)).toMatchObject({ content: text })
      }
    },
  )

  it('is told from what the disk did not confirm, of which nobody knows', () => {
    // A commit that was written whole and could not be flushed is there after a crash: seen with a disk made to fail so.
    for (const code of ['SQLITE_IOERR_FSYNC', 'SQLITE_IOERR_DIR_FSYNC', 'SQLITE_IOERR_DELETE']) {
      const { error, retry } = explain(Object.assign(new Error('disk I/O error'), { code }))
      expect(error).toMatchObject({ code: 'OUTCOME_UNKNOWN', cause: { code } })
      expect(retry).toBe('never')
    }
  })
})
