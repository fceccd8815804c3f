import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { chosenCounting, ratio, wholeNumber } from '../src/cli/arguments.ts'
import { COMMANDS } from '../src/cli/commands.ts'
import { withoutCredentials } from '../src/cli/database.ts'
import { abridged, json, table } from '../src/cli/print.ts'
import { Progress } from '../src/cli/progress.ts'
import { viewWindow } from '../src/cli/window-view.ts'
import { openStore, type Conversation, type ConversationStore } from '../src/index.ts'
import { runCli, runHere, startCli, type Ended } from './support/cli.ts'
import { onEachDatabase } from './support/databases.ts'
import { expectConsistent, runSql, turnOf } from './support/inspect.ts'
import { HOSTILE, randomFrom } from './support/texts.ts'

/** Text that must appear in no error. */
const CANARY = 'canary-7f3a'

const ESCAPE = '\u001b'
const COLOR = new RegExp(`${ESCAPE}\\[\\d+m`, 'g')

/** Line feeds, and nothing else that acts on a terminal. */
const PRINTABLE = /^(?:\n|[^\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069])*$/u

const folder = mkdtempSync(join(tmpdir(), 'backscroll-cli-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The commands that this file is about; `export`, `import` and `chat` have tests of their own. */
const READING = [['list'], ['show'], ['recount'], ['forget', '--user', 'me', '--yes']]

/** A conversation as it is counted nowhere by default. */
const UNUSUAL = { encoding: 'cl100k_base', framing: 'chat' } as const

interface Shown {
  readonly all: Totals
  readonly given: Totals
  readonly omitted: Totals
  readonly older: { readonly given: Totals; readonly omitted: Totals }
  readonly turns: readonly { position: number; tokenCount: number; isGiven: boolean; text: string }[]
}

interface Totals {
  readonly turnCount: number
  readonly tokenCount: number
}

onEachDatabase('backscroll', (database) => {
  let store: ConversationStore
  /** 2,000 turns, counted as no other conversation here. */
  let long: Conversation
  beforeAll(async () => {
    store = await database.open()
    long = store.conversation({ userId: 'shower', conversationId: 'long', ...UNUSUAL })
    const random = randomFrom(20261122)
    const texts = Array.from({ length: 2000 }, () => 'word '.repeat(random.below(60)))
    await inTens(2000, (index) => long.append(turnOf(`Question ${index}`, texts[index])))
  })

  const here = (...args: string[]) => runHere([...args, '--database', database.url])
  const rowsOf = (userId: string) =>
    runSql(
      database,
      `select c.encoding, c.framing, c.updated_at, c.total_tokens, t.position, t.token_count, t.cumulative_tokens
       from backscroll_conversations c
       join backscroll_turns t on t.user_id = c.user_id and t.conversation_id = c.id
       where c.user_id = '${userId}' order by c.id, t.position`,
    )

  describe('list', () => {
    it('says that a user has no conversations, and that is no failure', async () => {
      expect(await here('list', '--user', 'nobody')).toEqual({
        code: 0,
        output: 'This user has no conversations.\n',
        errors: '',
      })
      expect(await here('list', '--user', 'nobody', '--json')).toEqual({
        code: 0,
        output: '[]\n',
        errors: '',
      })
    })

    it('lists what the store lists, as a table and as JSON', async () => {
      const one = store.conversation({ userId: 'lister', conversationId: 'one' })
      await one.append(turnOf('hi'))
      await one.setMetadata({ title: 'Reise nach 東京', kind: 'trip' })
      const two = store.conversation({ userId: 'lister', conversationId: '二', ...UNUSUAL })
      for (let turns = 0; turns < 3; turns++) await two.append(turnOf('hi '.repeat(400)))
      await two.setMetadata({ title: 42 })

      const listed = await store.listConversations('lister')
      const facts = listed.map((line) => ({ ...line, cursor: undefined }))
      const { output } = await here('list', '--user', 'lister', '--json')
      expect(JSON.parse(output)).toEqual(JSON.parse(JSON.stringify(facts)))
      const drawn = (await here('list', '--user', 'lister')).output.split('\n')
      const minute = (index: number) => listed[index]?.updatedAt.toISOString().slice(0, 16).replace('T', ' ')
      expect(drawn).toEqual([
        'conversation  turns  tokens     updated (UTC)  title',
        `二                3   ${listed[0]?.tokenCount.toLocaleString('en-US')}  ${minute(0)}`,
        `one               1      ${String(listed[1]?.tokenCount).padStart(2)}  ${minute(1)}  Reise nach 東京`,
        '',
      ])
    })

    it('lists all of them, also more than a page', async () => {
      await inTens(1003, (index) =>
        store.conversation({ userId: 'many', conversationId: `c${index}` }).append(turnOf('hi')),
      )
      const { output } = await here('list', '--user', 'many', '--json')
      const ids = (JSON.parse(output) as { conversationId: string }[]).map(
        ({ conversationId }) => conversationId,
      )
      expect(ids).toHaveLength(1003)
      expect(new Set(ids).size).toBe(1003)
    })
  })

  describe('show', () => {
    const show = (...args: string[]) => here('show', '--user', 'shower', '--conversation', 'long', ...args)

    it.each([
      [2000, 1, 40],
      [2000, 0.5, 100],
      [100_000, 1, 7],
      [35, 1, 3000],
      [20_000, 0.75, 1500],
      [0, 1, 1],
    ])('gives the window of %d tokens at %d, and all else as left out', async (limit, retention, turns) => {
      const before = await rowsOf('shower')
      const args = ['--limit', `${limit}`, '--retention', `${retention}`, '--turns', `${turns}`]
      const { code, output } = await show(...args, '--json')
      expect(code).toBe(0)
      const shown = JSON.parse(output) as Shown
      const window = await long.loadWindow({ maxTokens: limit, retentionRatio: retention })
      const newest = before.slice(-turns)
      const given = window.turns.map(({ position }) => position)

      expect(shown).toMatchObject({
        userId: 'shower',
        conversationId: 'long',
        encoding: 'cl100k_base',
        framing: { kind: 'chat' },
      })
      expect(shown.all).toEqual({ turnCount: 2000, tokenCount: Number(before[0]?.['total_tokens']) })
      expect(shown.given).toEqual({ turnCount: window.turns.length, tokenCount: window.tokenCount })
      expect(shown.omitted).toEqual({ turnCount: window.omittedTurns, tokenCount: window.omittedTokens })
      expect(shown.turns.map(({ position, tokenCount }) => [position, tokenCount])).toEqual(
        newest.map((row) => [Number(row['position']), Number(row['token_count'])]),
      )
      for (const turn of shown.turns) expect(turn.isGiven).toBe(given.includes(turn.position))
      const { older } = shown
      expect(older.given.turnCount + older.omitted.turnCount).toBe(2000 - newest.length)
      expect(older.given.tokenCount + older.omitted.tokenCount).toBe(
        shown.all.tokenCount - newest.reduce((sum, row) => sum + Number(row['token_count']), 0),
      )
      expect(older.given.turnCount).toBe(Math.max(0, given.length - newest.length))

      expectDrawn((await show(...args)).output, shown)
      // Counted under another rule than the default: looking at it must not count it anew.
      expect(await rowsOf('shower')).toEqual(before)
    })

    it('shows truthfully that not even the newest turn fits', async () => {
      const conversation = store.conversation({ userId: 'shower', conversationId: 'big' })
      await conversation.append(turnOf('small'))
      await conversation.append(turnOf('big '.repeat(500)))
      const { code, output } = await here(
        'show',
        '--user',
        'shower',
        '--conversation',
        'big',
        '--limit',
        '100',
      )
      expect(code).toBe(0)
      const lines = output.trimEnd().split('\n')
      expect(lines.filter((line) => line.includes('░'))).toHaveLength(2)
      expect(output).not.toContain('█')
      expect(lines.at(-3)).toMatch(/^── cut: not even the newest turn fits ─+$/)
      expect(lines.at(-1)).toMatch(/Given: 0 turns, 0 tokens\. Left out: 2 turns, \d+ tokens\.$/)
    })

    it('counts a turn neither as given nor as left out that comes while it looks', async () => {
      const conversation = store.conversation({ userId: 'shower', conversationId: 'growing' })
      for (let turns = 0; turns < 4; turns++) await conversation.append(turnOf('hi', 'ok'))
      const loadWindow = conversation.loadWindow.bind(conversation)
      let tokenCount = 0
      conversation.loadWindow = async (options) => {
        const window = await loadWindow(options)
        tokenCount = window.tokenCount
        await conversation.append(turnOf('meanwhile'))
        return window
      }
      for (const [maxTokens, given] of [
        [20, 2],
        [0, 0],
      ] as const) {
        const { signal } = new AbortController()
        const view = await viewWindow(conversation, { maxTokens, retentionRatio: 1, turns: 40, signal })
        // As rendered: less than its turns' counts, since the newest needs no line break.
        expect(view.given).toEqual({ turnCount: given, tokenCount })
        expect(view.turns).toHaveLength(view.all.turnCount)
        expect(view.turns.filter(({ isGiven }) => isGiven)).toHaveLength(given)
        const none = { turnCount: 0, tokenCount: 0 }
        expect(view.older).toEqual({ given: none, omitted: none })
      }
    })

    it('shows a conversation that was cleared', async () => {
      const conversation = store.conversation({ userId: 'shower', conversationId: 'cleared' })
      await conversation.append(turnOf('hi'))
      await conversation.clear()
      const { code, output } = await here('show', '--user', 'shower', '--conversation', 'cleared')
      expect(code).toBe(0)
      expect(output).toContain('0 turns, 0 tokens in all.')
    })

    it('fits the terminal, and keeps what would act on it away', async () => {
      const conversation = store.conversation({ userId: 'shower', conversationId: 'evil\u001b]0;id\u0007' })
      await conversation.append(turnOf(HOSTILE.join(' ') + '\u001b[2J\u009b31m\u202e東京'.repeat(50)))
      await conversation.append([{ role: 'assistant', content: '\u001b[31mred\r\b' }])
      await conversation.setMetadata({ title: '\u001b[2Jtitle\u0085' })
      const args = [
        '--user',
        'shower',
        '--conversation',
        conversation.conversationId,
        '--database',
        database.url,
      ]
      for (const columns of [40, 80, 200]) {
        const { code, output } = await runHere(['show', ...args], { columns })
        expect(code).toBe(0)
        const uncolored = output.replaceAll(COLOR, '')
        expect(output).not.toBe(uncolored)
        expect(uncolored).toMatch(PRINTABLE)
        for (const line of uncolored.split('\n').slice(3, 5))
          expect([...line].length).toBeLessThanOrEqual(columns)
      }
      for (const asJson of [[], ['--json']]) {
        expect((await runHere(['list', ...args.slice(0, 2), ...args.slice(4), ...asJson])).output).toMatch(
          PRINTABLE,
        )
        expect((await runHere(['show', ...args, ...asJson])).output).toMatch(PRINTABLE)
      }
      const { output } = await runHere(['list', '--json', ...args.slice(0, 2), ...args.slice(4)])
      expect(JSON.parse(output)).toContainEqual(
        expect.objectContaining({
          conversationId: conversation.conversationId,
          metadata: { title: '\u001b[2Jtitle\u0085' },
        }),
      )
    })
  })

  describe('recount', () => {
    const key = { userId: 'counter', conversationId: 'one' }
    const recount = (...args: string[]) =>
      here('recount', '--user', 'counter', '--conversation', 'one', ...args)
    beforeAll(async () => {
      const conversation = store.conversation({ ...key, ...UNUSUAL })
      for (let turns = 0; turns < 20; turns++) await conversation.append(turnOf('東京 '.repeat(turns + 1)))
    })

    it('counts by what is recorded unless told otherwise', async () => {
      const before = await rowsOf('counter')
      const { code, output } = await recount()
      const total = Number(before[0]?.['total_tokens']).toLocaleString('en-US')
      expect({ code, output }).toEqual({
        code: 0,
        output: `20 turns counted anew: ${total} tokens before, ${total} now.\n`,
      })
      expect(withoutTimes(await rowsOf('counter'))).toEqual(withoutTimes(before))
    })

    it('counts for another model and framing, and says what that changed', async () => {
      const before = await rowsOf('counter')
      const { output } = await recount('--model', 'gpt-4o', '--framing', 'text', '--json')
      await expectConsistent(database, key)
      const after = await rowsOf('counter')
      expect(JSON.parse(output)).toEqual({
        ...key,
        turns: 20,
        tokensBefore: Number(before[0]?.['total_tokens']),
        tokensAfter: Number(after[0]?.['total_tokens']),
      })
      expect(after[0]).toMatchObject({ encoding: 'o200k_base', framing: 'text ["Human","AI"]' })
      expect(after[0]?.['total_tokens']).not.toEqual(before[0]?.['total_tokens'])
    })

    it('stops when it is interrupted, and leaves the counts as they were', async () => {
      const before = await rowsOf('shower')
      const controller = new AbortController()
      // Interrupted while it reads: few looks at the signal come before the recount, and more than ten in it.
      const look = vi.spyOn(controller.signal, 'throwIfAborted').mockImplementation(() => {
        if (look.mock.calls.length === 10) controller.abort()
        if (controller.signal.aborted) throw controller.signal.reason
      })
      const args = [
        '--user',
        'shower',
        '--conversation',
        'long',
        '--encoding',
        'gpt2',
        '--database',
        database.url,
      ]
      expect(await runHere(['recount', ...args], { signal: controller.signal })).toEqual({
        code: 130,
        output: '',
        errors: 'backscroll: Interrupted.\n',
      })
      expect(await rowsOf('shower')).toEqual(before)
    })
  })

  describe('forget', () => {
    const FORGET = ['forget', '--user', 'gone']
    beforeAll(async () => {
      for (const userId of ['gone', 'stays']) {
        for (const conversationId of ['one', 'two']) {
          const conversation = store.conversation({ userId, conversationId })
          await conversation.append(turnOf('hi'))
          await conversation.append(turnOf('hi'))
        }
      }
    })
    const asked = (input: string) => runHere([...FORGET, '--database', database.url], { input, columns: 80 })

    it('needs a user that is named', async () => {
      const { code, errors } = await here('forget', '--yes')
      expect(code).toBe(2)
      expect(errors).toBe(
        'backscroll: --user ID is needed: there is no default. See: backscroll forget --help\n',
      )
    })

    it.each([
      ['another text', 'stays\n', ''],
      ['an empty line', '\n', ''],
      ['nothing', '', '\n'],
    ])('erases nothing when %s is typed', async (_, input, lineBreak) => {
      expect(await asked(input)).toEqual({
        code: 1,
        output: '',
        errors:
          'This erases all conversations of the user. Type the user id to confirm: ' +
          `${lineBreak}backscroll: Not confirmed; nothing was erased.\n`,
      })
      expect(await store.listConversations('gone')).toHaveLength(2)
    })

    it('erases nothing where nobody can be asked', async () => {
      expect(await here(...FORGET)).toMatchObject({ code: 2, output: '' })
      expect(await store.listConversations('gone')).toHaveLength(2)
    })

    it('erases nothing when it is interrupted, even if the answer comes then', async () => {
      const controller = new AbortController()
      const input = (async function* () {
        controller.abort()
        yield 'gone\n'
      })()
      const { signal } = controller
      const { code, errors } = await runHere([...FORGET, '--database', database.url], {
        input,
        columns: 80,
        signal,
      })
      expect(code).toBe(130)
      expect(errors).toMatch(/confirm: \n?backscroll: Interrupted\.\n$/)
      expect(await store.listConversations('gone')).toHaveLength(2)
    })

    it('erases all of the user whose id is typed, and nothing of another', async () => {
      expect(await asked('gone\n')).toMatchObject({ code: 0, output: 'Erased: 2 conversations, 4 turns.\n' })
      expect(await store.listConversations('gone')).toEqual([])
      expect(await store.listConversations('stays')).toHaveLength(2)
      const { code, output } = await here('forget', '--user', 'stays', '--yes', '--json')
      expect(code).toBe(0)
      expect(JSON.parse(output)).toEqual({ userId: 'stays', conversations: 2, turns: 4 })
      expect(await here('forget', '--user', 'stays', '--yes')).toEqual({
        code: 4,
        output: '',
        errors: 'backscroll: Nothing is stored of this user.\n',
      })
    })
  })

  it.each([['show'], ['recount']])(
    '%s says by its exit code that there is no such conversation',
    async (name) => {
      const { code, output, errors } = await here(name, '--user', CANARY, '--conversation', CANARY)
      expect({ code, output }).toEqual({ code: 4, output: '' })
      expect(errors).toBe('backscroll: There is no such conversation. See: backscroll list\n')
    },
  )

  it('refuses an id that cannot be one with exit code 2, and does not repeat it', async () => {
    for (const id of ['', CANARY.repeat(50), `${CANARY}\ud800`]) {
      const { code, errors } = await here('list', '--user', id)
      expect(code).toBe(2)
      expect(errors).toMatch(/^backscroll: userId must be [^\n]+ See: backscroll list --help\n$/)
      expect(errors).not.toContain(CANARY)
    }
  })

  it('runs as a process, on the database of the environment', async () => {
    await store.conversation({ userId: 'me', conversationId: 'chat' }).append(turnOf('In a process'))
    const environment = { BACKSCROLL_DATABASE: database.url }
    const [listed, shown] = await Promise.all([
      runCli(['list'], { environment }),
      runCli(['show', '--limit', '100'], { environment }),
    ])
    expect(listed).toMatchObject({ code: 0, errors: '' })
    expect(listed.output).toMatch(/\nchat +1 +\d+ +\d{4}-\d\d-\d\d \d\d:\d\d\n$/)
    expect(shown).toMatchObject({ code: 0, errors: '' })
    expect(shown.output).toMatch(/\n1 +\d+ +█+ +In a process\n\n1 turn, \d+ tokens in all\./)
  })
})

onEachDatabase('a database without tables', (database) => {
  it.each(READING)('is left as it is by %s, which names the command that makes them', async (...args) => {
    // A file that is empty is a database to SQLite.
    if (database.name === 'sqlite') await runSql(database, 'select 1')
    const { code, output, errors } = await runHere([...args, '--database', database.url])
    expect({ code, output }).toEqual({ code: 3, output: '' })
    expect(errors).toBe(
      "backscroll: backscroll's tables are missing or outdated in this database. Run: backscroll migrate (on Postgres this role also needs usage on their schema, and the schema on its search_path)\n",
    )
    const names = database.name === 'sqlite' ? 'name from sqlite_master' : 'tablename from pg_tables'
    const tables = JSON.stringify(await runSql(database, `select ${names}`))
    expect(tables).not.toContain('backscroll')
  })

  it('has them after migrate, which may be run again', async () => {
    const migrate = (...args: string[]) => runHere(['migrate', ...args, '--database', database.url])
    expect(await migrate()).toEqual({ code: 0, output: 'The tables are up to date.\n', errors: '' })
    const { code, output } = await migrate('--json')
    expect(code).toBe(0)
    expect(JSON.parse(output)).toEqual({ upToDate: true })
    expect(await runHere(['list', '--database', database.url])).toMatchObject({ code: 0 })
  })
})

describe('backscroll', () => {
  it('describes itself, and each of its commands that this is about', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
      version: string
    }
    const [help, ofOne] = await Promise.all([runCli(['--help']), runCli(['show', '--help'])])
    expect(help).toMatchObject({ code: 0, errors: '' })
    for (const name of COMMANDS.keys()) expect(help.output).toMatch(new RegExp(`^  ${name} +\\w`, 'm'))
    expect(ofOne).toMatchObject({ code: 0, errors: '' })
    expect(await runHere(['--version'])).toEqual({ code: 0, output: `${version}\n`, errors: '' })
    for (const name of ['list', 'show', 'migrate', 'recount', 'forget']) {
      for (const args of [['--help'], ['-h'], ['--nonesuch', '--help']]) {
        const { code, output, errors } = await runHere([name, ...args])
        expect({ code, errors }).toEqual({ code: 0, errors: '' })
        for (const part of [
          '--database URL',
          '--json',
          '--help',
          'Exit codes: 0 ',
          `\n  backscroll ${name}`,
        ]) {
          expect(output, name).toContain(part)
        }
        for (const line of output.split('\n')) expect(line.length, line).toBeLessThanOrEqual(120)
      }
    }
  })

  it.each([
    ['no command', [], 'A command is missing. See: backscroll --help'],
    ['an unknown command', [CANARY], 'There is no such command'],
    ['a URL in the place of a command', [`postgres://u:${CANARY}@host/db`], 'There is no such command'],
    [
      'an unknown option',
      ['list', `--nonesuch=${CANARY}`],
      "Unknown option '--nonesuch'. See: backscroll list --help",
    ],
    [
      'an unknown option without a command',
      ['--nonesuch'],
      "Unknown option '--nonesuch'. See: backscroll --help",
    ],
    ['an argument too many', ['list', CANARY], 'Besides options it takes no arguments; got 1.'],
    ['an option without its value', ['show', '--limit'], "Option '--limit <value>' argument missing."],
    ['a value for a flag', ['list', `--json=${CANARY}`], "Option '--json' does not take an argument."],
    ['a limit that is no number', ['show', '--limit', CANARY], '--limit takes a whole number of 0 or more.'],
    ['no turns', ['show', '--turns', '0'], '--turns takes a whole number of 1 or more.'],
    ['a retention out of range', ['show', '--retention', '1.5'], '--retention takes a number from 0 to 1.'],
    ['a framing that there is not', ['recount', '--framing', CANARY], '--framing takes text or chat.'],
    [
      'a model beside an encoding',
      ['recount', '--model', 'gpt-4o', '--encoding', 'gpt2'],
      'give --encoding or --model',
    ],
    ['an unknown model', ['recount', '--model', `a ${CANARY}`], 'No encoding is known for the model'],
    [
      'a database of another kind',
      ['list', '--database', `mysql://u:${CANARY}@host/db`],
      'A database URL is',
    ],
  ])('refuses %s with exit code 2, and repeats no value', async (_, args, reason) => {
    const { code, output, errors } = await runHere(args)
    expect({ code, output }).toEqual({ code: 2, output: '' })
    expect(errors).toContain(reason)
    expect(errors).toMatch(/^backscroll: [^\n]+ See: backscroll( \w+)? --help\n$/)
    expect(errors).not.toContain(CANARY)
  })

  it.each(READING)('makes no database by a typo: %s', async (...args) => {
    const path = join(folder, `${CANARY}.db`)
    for (const url of [`sqlite:${path}`, `sqlite://${path}`]) {
      const { code, output, errors } = await runHere([...args, '--database', url])
      expect({ code, output }).toEqual({ code: 3, output: '' })
      expect(errors).toMatch(/^backscroll: There is no database file where the URL says\. [^\n]+\n$/)
      expect(errors).not.toContain(CANARY)
    }
    expect(existsSync(path)).toBe(false)
  })

  it('uses backscroll.db in the current folder when no database is named', async () => {
    const empty = mkdtempSync(join(folder, 'empty-'))
    const missing = await runCli(['list'], { folder: empty })
    expect(missing).toMatchObject({ code: 3, output: '' })
    expect(missing.errors).toContain('There is no database file backscroll.db here.')
    expect(readdirSync(empty)).toEqual([])
    expect(await runCli(['migrate'], { folder: empty })).toMatchObject({ code: 0, errors: '' })
    expect(existsSync(join(empty, 'backscroll.db'))).toBe(true)
    const environment = { BACKSCROLL_DATABASE: 'sqlite://backscroll.db' }
    expect(await runCli(['list'], { folder: empty, environment })).toMatchObject({ code: 0, errors: '' })
  })

  it('ends quietly when nobody reads on', async () => {
    const url = await databaseOfOne()
    const started = startCli(['show', '--database', url, '--json'])
    started.stdout.destroy()
    started.stdin.end()
    expect(await started.ended).toMatchObject({ code: 0, errors: '' })
  })

  it('colours a terminal only, and not where NO_COLOR is set', async () => {
    const url = await databaseOfOne()
    const colored = await runHere(['show', '--database', url], { columns: 80 })
    expect(colored.output).toContain('\u001b[32m█')
    expect((await runHere(['show', '--database', url])).output).not.toContain('\u001b')
    expect((await runCli(['show', '--database', url])).output).not.toContain('\u001b')
    const without = await runHere(['show', '--database', url], {
      columns: 80,
      environment: { NO_COLOR: '1' },
    })
    expect(without.output).not.toContain('\u001b')
    expect(without.output).toContain('█')
  })

  describe('on a server that cannot be used', () => {
    let unreachable: Promise<Ended>
    beforeAll(() => {
      // Started here, since the store goes on trying for some seconds.
      unreachable = runCli(['list', '--database', `postgres://user:${CANARY}@127.0.0.1:1/db`])
    })

    it('stops at Ctrl-C while it waits for an answer', async () => {
      const server = createServer()
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const started = startCli(['list', '--database', `postgres://user:${CANARY}@127.0.0.1:${port}/db`])
      const [socket] = await once(server, 'connection')
      started.kill('SIGINT')
      const { code, output, errors } = await started.ended
      expect({ code, output, errors }).toEqual({
        code: 130,
        output: '',
        errors: 'backscroll: Interrupted.\n',
      })
      socket.destroy()
      server.close()
    })

    it('says so by its exit code, and nothing of the URL', async () => {
      const { code, output, errors } = await unreachable
      expect({ code, output }).toEqual({ code: 3, output: '' })
      expect(errors).toMatch(/^backscroll: Postgres cannot be reached[^\n]+\(ECONNREFUSED\)\n$/)
      expect(errors).not.toContain(CANARY)
    })
  })
})

describe('what the command line prints', () => {
  it('shows a URL without what is secret in it', () => {
    expect(withoutCredentials('postgres://user:secret@host:5433/db?password=secret')).toBe(
      'postgres://host:5433/db',
    )
    for (const password of ['12/34', '12#34', '12?34', 'a/b', 'a:b@c', '%40%2f']) {
      const shown = withoutCredentials(`postgres://user:${password}@host/db`)
      expect(['postgres://host/db', 'postgres://…']).toContain(shown)
    }
    expect(withoutCredentials('postgres://user:secret@one:1,two:2/db')).toBe('postgres://…')
  })

  it('abridges a text to the columns that it takes', () => {
    expect(abridged('one\n two\u001b[31m\u0007 three', 20)).toBe('one two three')
    expect(abridged('one two three', 13)).toBe('one two three')
    expect(abridged('one two three', 12)).toBe('one two thr…')
    expect(abridged('東京東京', 8)).toBe('東京東京')
    expect(abridged('東京東京', 7)).toBe('東京東…')
    expect(abridged('e\u0301'.repeat(4), 4)).toBe('e\u0301'.repeat(4))
    expect(abridged(`${' '.repeat(100)}x`, 5)).toBe('…')
  })

  it('aligns columns by what they take on a terminal', () => {
    expect(
      table(
        ['id', 'n'],
        [
          ['東京', '1'],
          ['ab', '1,000'],
        ],
        { left: ['id'] },
      ).split('\n'),
    ).toEqual(['id        n', '東京      1', 'ab    1,000'])
  })

  it('escapes in JSON what would act on a terminal, so that it parses to the same', () => {
    const value = { text: HOSTILE.join('') + '\u0080\u009f\u007f\u202e\u2066\u2028' }
    expect(json(value)).toMatch(PRINTABLE)
    expect(JSON.parse(json(value))).toEqual(value)
  })

  it('takes numbers in their range alone', () => {
    expect([wholeNumber('--n', '0', 0), wholeNumber('--n', '20', 1)]).toEqual([0, 20])
    for (const wrong of ['', '-1', '1.5', '1e3', '0x10', ' 1', '9007199254740993', 'Infinity']) {
      expect(() => wholeNumber('--n', wrong, 0), wrong).toThrow('--n takes a whole number of 0 or more.')
    }
    expect(['0', '1', '0.25', '.5'].map((given) => ratio('--r', given))).toEqual([0, 1, 0.25, 0.5])
    for (const wrong of ['', '.', '-0.1', '1.01', '1e-1', 'NaN', '0.1.2']) {
      expect(() => ratio('--r', wrong), wrong).toThrow('--r takes a number from 0 to 1.')
    }
  })

  it('leaves open how turns are counted when it is not said', () => {
    expect(chosenCounting({})).toEqual({ encoding: undefined, framing: undefined })
    expect(chosenCounting({ model: 'gpt-4', framing: 'chat' })).toEqual({
      encoding: 'cl100k_base',
      framing: 'chat',
    })
  })

  describe('of progress', () => {
    afterEach(() => void vi.restoreAllMocks())

    /** Work in three steps; gives what was printed. */
    async function progressOn(on: PassThrough, stepMs: number): Promise<{ printed: string; sum: string }> {
      let now = 0
      vi.spyOn(performance, 'now').mockImplementation(() => now)
      const progress = new Progress(2000, { from: 1000, unit: 'turns', on })
      for (const done of [1250, 1500, 2000]) {
        now += stepMs
        await progress.to(done)
      }
      const sum = progress.finish()
      on.end()
      return { printed: await text(on), sum }
    }

    it('is nothing but a sum for what takes less than a second', async () => {
      expect(await progressOn(new PassThrough(), 200)).toEqual({
        printed: '',
        sum: '1,000 turns in 0.6 s (1,667/s)',
      })
    })

    it('is a line that is drawn over on a terminal, and gone at the end', async () => {
      const { printed } = await progressOn(Object.assign(new PassThrough(), { isTTY: true }), 1000)
      const clear = '\u001b[1G\u001b[2K'
      const first = `${'█'.repeat(18)}${'░'.repeat(12)} 62 %  1,250 of 2,000 turns  250/s  3 s left`
      const second = `${'█'.repeat(22)}${'░'.repeat(8)} 75 %  1,500 of 2,000 turns  250/s  2 s left`
      expect(printed).toBe(`${clear}${first}${clear}${second}${clear}`)
    })

    it('is a line for each quarter elsewhere', async () => {
      const { printed } = await progressOn(new PassThrough(), 1000)
      expect(printed).toBe('75 %  1,500 of 2,000 turns  250/s  2 s left\n')
    })
  })
})

/** Does something a number of times, ten at a time, so that what they start comes in that order or nearly. */
async function inTens(times: number, work: (index: number) => Promise<unknown>): Promise<void> {
  for (let start = 0; start < times; start += 10) {
    await Promise.all(Array.from({ length: Math.min(10, times - start) }, (_, index) => work(start + index)))
  }
}

/** The drawing says the same as the facts: a bar for each turn, pale above the cut and full below it, and the sums. */
function expectDrawn(output: string, { all, given, omitted, older, turns }: Shown): void {
  const lines = output.split('\n')
  const barOf = (line: string) => /^ *([\d,]+) +([\d,]+)  ([█░]+) /.exec(line)?.slice(1)
  const bars = lines.map(barOf).filter((bar) => bar !== undefined)
  const most = Math.max(...turns.map(({ tokenCount }) => tokenCount))
  expect(bars).toEqual(
    turns.map(({ position, tokenCount, isGiven }) => [
      position.toLocaleString('en-US'),
      tokenCount.toLocaleString('en-US'),
      // A quarter of the 100 columns that are drawn for where there is no terminal.
      (isGiven ? '█' : '░').repeat(Math.max(1, Math.round((25 * tokenCount) / most))),
    ]),
  )
  const cut = lines.findIndex((line) => line.startsWith('── cut: '))
  expect(cut >= 0).toBe(omitted.turnCount > 0)
  const above = lines.slice(0, Math.max(0, cut))
  expect(above.filter((line) => barOf(line)?.[2]?.[0] === '█')).toEqual([])
  expect(lines.slice(Math.max(0, cut)).filter((line) => barOf(line)?.[2]?.[0] === '░')).toEqual([])
  const sum = (noun: string, { turnCount, tokenCount }: Totals) =>
    `${turnCount.toLocaleString('en-US')} ${noun}${turnCount === 1 ? '' : 's'}, ` +
    `${tokenCount.toLocaleString('en-US')} token${tokenCount === 1 ? '' : 's'}`
  for (const [what, one] of [
    ['left out', older.omitted],
    ['given', older.given],
  ] as const) {
    expect(lines.includes(`… ${sum('older turn', one)}, ${what}`)).toBe(one.turnCount > 0)
  }
  expect(lines.at(-2)).toBe(
    `${sum('turn', all)} in all. Given: ${sum('turn', given)}. Left out: ${sum('turn', omitted)}.`,
  )
}

function withoutTimes(rows: readonly Record<string, unknown>[]): Record<string, unknown>[] {
  return rows.map((row) => ({ ...row, updated_at: undefined }))
}

/** A database file with one conversation of one turn, where it is looked for by default. */
async function databaseOfOne(): Promise<string> {
  const url = `sqlite:${join(mkdtempSync(join(folder, 'one-')), 'one.db')}`
  await using store = await openStore(url)
  await store.conversation({ userId: 'me', conversationId: 'chat' }).append(turnOf('hi'))
  return url
}
