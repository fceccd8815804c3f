import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encryption } from '../src/encryption.ts'
import type { Codec, ConversationStore } from '../src/index.ts'
import { runCli, runHere } from './support/cli.ts'
import { masterKey } from './support/codecs.ts'
import { onEachDatabase } from './support/databases.ts'
import { runSql, turnOf } from './support/inspect.ts'
import { ROOT } from './support/source.ts'

/** What must appear in no error. */
const CANARY = 'canary-7f3a'

const folder = mkdtempSync(join(tmpdir(), 'backscroll-cli-codec-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A module such as an app has; gives its path. */
function moduleOf(name: string, code: string): string {
  const path = join(folder, `${name}.mjs`)
  writeFileSync(path, code)
  return path
}

const IMPORT = `import { encryption } from '${ROOT}src/encryption.ts'`
const KEYS = `old: new Uint8Array(32).fill(1), new: new Uint8Array(32).fill(2)`
const ROTATING = moduleOf(
  'rotating',
  `${IMPORT}\nconst userSecret = (id) => (id === 'gone' ? undefined : new Uint8Array(16))
   export const codec = encryption({ keys: { ${KEYS} }, current: 'new', userSecret })`,
)
const userSecret = () => new Uint8Array(16)
const OLD = encryption({ keys: { old: masterKey(1) }, userSecret })
const NEW = encryption({ keys: { new: masterKey(2) }, userSecret })

onEachDatabase('backscroll on a database that is encrypted', (database) => {
  let before: ConversationStore
  beforeAll(async () => void (before = await database.open({ codec: OLD })))

  const here = (...args: string[]) => runHere([...args, '--database', database.url])
  const withCodec = (...args: string[]) => here(...args, '--codec', ROTATING)
  const fill = async (userId: string, codec: Codec = OLD) => {
    const conversation = (await database.open({ codec })).conversation({ userId, conversationId: 'chat' })
    for (const said of ['one', 'two']) await conversation.append(turnOf(`${userId} says ${said}`))
    await conversation.setMetadata({ title: `Of ${userId}` })
  }

  it('lists, shows, counts, exports and imports with the codec of the app', async () => {
    await fill('reader')
    const user = ['--user', 'reader']
    expect((await withCodec('list', ...user)).output).toContain('Of reader')
    expect((await withCodec('show', ...user)).output).toContain('reader says two')
    expect(await withCodec('recount', ...user)).toMatchObject({ code: 0, errors: '' })
    const exported = await withCodec('export', ...user)
    expect(exported).toMatchObject({ code: 0, errors: '' })
    expect(exported.output.trimEnd().split('\n')).toHaveLength(2)
    const file = join(folder, `${database.name}.jsonl`)
    writeFileSync(file, exported.output.replaceAll('"reader"', '"importer"'))
    const imported = await runHere(['import', file, '--database', database.url], {
      environment: { BACKSCROLL_CODEC: ROTATING },
    })
    expect(imported).toMatchObject({ code: 0, errors: '' })
    const store = await database.open({ codec: NEW })
    const conversation = store.conversation({ userId: 'importer', conversationId: 'chat' })
    expect(await conversation.listTurns()).toMatchObject([
      { messages: turnOf('reader says one') },
      { messages: turnOf('reader says two') },
    ])
  })

  it('chats, and what was said cannot be read without it', async () => {
    const args = ['chat', '--user', 'talker', '--database', database.url]
    const chatted = await runHere([...args, '--codec', ROTATING], { input: `My name is ${CANARY}\n` })
    expect(chatted).toMatchObject({ code: 0 })
    const rows = await runSql(database, `select * from backscroll_turns where user_id = 'talker'`)
    expect(rows).toHaveLength(1)
    expect(JSON.stringify(rows)).not.toContain(CANARY)
    const asked = await runHere([...args, '--codec', ROTATING], { input: 'What is my name?\n' })
    expect(asked.output).toContain(CANARY)
  })

  it.each([['list'], ['show'], ['export'], ['recount']])(
    'says in one line that %s needs it',
    async (name) => {
      await (await database.open()).forgetUser('reader')
      await fill('reader')
      expect(await here(name, '--user', 'reader')).toEqual({
        code: 1,
        output: '',
        errors:
          'backscroll: A stored text is encrypted, and this store was given no codec. ' +
          'Open the store with the codec that encrypted it.\n',
      })
    },
  )

  it('forgets a user without it', async () => {
    await fill('forgotten')
    const { code, output } = await here('forget', '--user', 'forgotten', '--yes')
    expect({ code, output }).toEqual({ code: 0, output: 'Erased: 1 conversation, 2 turns.\n' })
  })

  it('reencrypts a user, as a line and as JSON', async () => {
    await fill('one')
    expect(await withCodec('reencrypt', '--user', 'one')).toEqual({
      code: 0,
      output: 'Encrypted anew, of 1 user: 2 turns, metadata of 1 conversation.\n',
      errors: '',
    })
    const { code, output } = await withCodec('reencrypt', '--user', 'one', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(output)).toEqual({ users: 1, conversations: 0, turns: 0, failed: 0 })
    const after = await database.open({ codec: NEW })
    const conversation = after.conversation({ userId: 'one', conversationId: 'chat' })
    expect(await conversation.listTurns()).toHaveLength(2)
  })

  it('reencrypts a list of users, and names by the line who cannot be read', async () => {
    for (const user of ['first', 'zwölfter 🙂', `last ${CANARY}`]) await fill(user)
    const gone = encryption({ keys: { old: masterKey(1) }, userSecret: () => new Uint8Array(16).fill(7) })
    await fill('gone', gone)
    await fill('changed', gone)
    const list = [
      'first',
      '',
      'gone',
      'zwölfter 🙂\r',
      'changed',
      'nobody',
      '\ud800'.repeat(600),
      `last ${CANARY}`,
    ]
    const file = join(folder, `${CANARY}.txt`)
    writeFileSync(file, list.join('\n'))
    const { code, output, errors } = await withCodec('reencrypt', '--users', file)
    expect({ code, output }).toEqual({
      code: 1,
      output: 'Encrypted anew, of 7 users: 6 turns, metadata of 3 conversations.\n',
    })
    expect(errors).toMatch(
      /^Line 3: The secret of this user is gone[^\n]+\nLine 5: A stored text was changed[^\n]+\nLine 7: userId must be [^\n]+\nbackscroll: What was stored of 3 users could not be read; the lines above say why\.\n$/,
    )
    expect(errors).not.toContain(CANARY)
    const after = await database.open({ codec: NEW })
    const conversation = after.conversation({ userId: 'zwölfter 🙂', conversationId: 'chat' })
    expect(await conversation.listTurns()).toHaveLength(2)
  })

  it('runs as a process, with the list from standard input and the codec of the environment', async () => {
    for (const user of ['a', 'b']) await fill(user)
    const environment = { BACKSCROLL_DATABASE: database.url, BACKSCROLL_CODEC: ROTATING }
    const ended = await runCli(['reencrypt', '--users', '-', '--json'], { input: 'a\nb\n', environment })
    expect(ended).toMatchObject({ code: 0, errors: '' })
    expect(JSON.parse(ended.output)).toEqual({ users: 2, conversations: 2, turns: 4, failed: 0 })
  })

  it('says that it was interrupted, and what was done stays', async () => {
    await fill('interrupted')
    const controller = new AbortController()
    controller.abort()
    const args = ['reencrypt', '--user', 'interrupted', '--database', database.url, '--codec', ROTATING]
    expect(await runHere(args, { signal: controller.signal })).toMatchObject({ code: 130, output: '' })
    const conversation = before.conversation({ userId: 'interrupted', conversationId: 'chat' })
    expect(await conversation.listTurns()).toHaveLength(2)
  })
})

describe('backscroll reencrypt', () => {
  it('describes itself, with the statement that lists the users', async () => {
    const { code, output } = await runHere(['reencrypt', '--help'])
    expect(code).toBe(0)
    for (const part of [
      '--codec FILE',
      '--users FILE',
      'select distinct user_id from backscroll_conversations',
      'Exit codes: 0 done',
    ]) {
      expect(output).toContain(part)
    }
    for (const line of output.split('\n')) expect(line.length, line).toBeLessThanOrEqual(120)
  })

  const at = (path: string) => ['--database', `sqlite:${join(folder, 'made.db')}`, '--codec', path]
  const key = (code: string) => `${IMPORT}\nconst secret = '${CANARY}'\n${code}`

  it.each([
    ['neither a user nor a list', ['--codec', ROTATING], 2, 'Give --user ID or --users FILE.'],
    ['both', ['--user', 'a', '--users', '-', '--codec', ROTATING], 2, 'Give --user ID or --users FILE.'],
    ['no codec', ['--user', 'a'], 2, '--codec FILE is needed, or BACKSCROLL_CODEC.'],
    [
      'a list that is not there',
      ['--users', join(folder, CANARY), ...at(ROTATING)],
      1,
      'The file cannot be read',
    ],
    [
      'a list that names nobody, such as that of a query which failed',
      ['--users', moduleOf('nobody', '\n'), ...at(ROTATING)],
      1,
      'The list names no user',
    ],
    ['a module that is not there', at(join(folder, CANARY)), 1, 'cannot be loaded (ERR_'],
    [
      'a module that is no JavaScript',
      at(moduleOf('broken', `export const codec = '${CANARY}' '`)),
      1,
      'The module of --codec cannot be loaded (',
    ],
    [
      'a module that throws',
      at(moduleOf('throwing', key('throw new RangeError(secret)'))),
      1,
      'The module of --codec cannot be loaded (RangeError).',
    ],
    [
      'a module whose key is none',
      at(moduleOf('keyless', key('export const codec = encryption({ keys: { k: secret } })'))),
      1,
      "In the module of --codec: The key 'k' must be 32 bytes",
    ],
    [
      'a module without a codec',
      at(moduleOf('other', key('export const keys = 1'))),
      1,
      'exports no `codec`',
    ],
    [
      'a codec that is none',
      at(moduleOf('none', key('export const codec = secret'))),
      1,
      'exports no `codec`',
    ],
  ])('refuses %s in one line that repeats nothing of it', async (_, args, exitCode, reason) => {
    await runHere(['migrate', '--database', `sqlite:${join(folder, 'made.db')}`])
    const user = args.includes('--user') || args.includes('--users') || exitCode === 2 ? [] : ['--user', 'a']
    const { code, output, errors } = await runHere(['reencrypt', ...user, ...args])
    expect({ code, output }).toEqual({ code: exitCode, output: '' })
    expect(errors).toContain(reason)
    expect(errors).toMatch(/^backscroll: [^\n]+\n$/)
    expect(errors).not.toContain(CANARY)
  })
})
