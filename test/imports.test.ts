import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import * as errors from '../src/errors.ts'
import { buildPackage, run, type BuiltPackage } from './support/built-package.ts'

let built: BuiltPackage
beforeAll(async () => void (built = await buildPackage()))
afterAll(() => built.remove())

/** The doors of the package, in the order of its `exports`. */
const DOORS = [
  ...['backscroll', 'backscroll/sqlite', 'backscroll/postgres', 'backscroll/conformance'],
  ...['backscroll/encryption', 'backscroll/langchain', 'backscroll/openai-agents', 'backscroll/ai-sdk'],
]

describe('importing', () => {
  it.each(['backscroll', 'backscroll/conformance', 'backscroll/encryption'])(
    '%s loads nothing but backscroll: no driver, no drizzle, no ranks',
    async (door) => {
      const { packages, value } = await inHost(`await import('${door}')`)
      expect(packages).toEqual([])
      expect(value).toEqual({ resources: [], files: [] })
    },
  )

  it.each([
    ['backscroll/sqlite', 'sqlite-core'],
    ['backscroll/postgres', 'pg-core'],
  ])('%s loads drizzle, and no driver', async (door, core) => {
    const { packages, modules, value } = await inHost(`await import('${door}')`)
    expect(packages).toEqual(['drizzle-orm'])
    expect(modules.some((url) => url.includes(`drizzle-orm/${core}/`))).toBe(true)
    expect(value).toEqual({ resources: [], files: [] })
  })
})

describe('what is loaded when it is used', () => {
  it('is the store, and what a chain does in a turn', async () => {
    const { modules } = await inHost(`
      const { openStore } = await import('backscroll')
      note('imported')
      await (await openStore('sqlite::memory:')).close()`)
    const looked = ['imported', 'conversation-chain.js', 'conversation-store.js', 'encoder.js', 'turn.js']
    const names = modules.map((url) => basename(url)).filter((name) => looked.includes(name))
    const at = names.indexOf('imported')
    expect(names.slice(0, at)).toEqual(['conversation-chain.js'])
    expect(names.slice(at + 1).toSorted()).toEqual(['conversation-store.js', 'encoder.js'])
  })
})

describe('opening a store', () => {
  const DRIVERS = ['better-sqlite3', 'postgres', 'js-tiktoken']

  it('on SQLite loads better-sqlite3 and not postgres', async () => {
    const { packages } = await inHost(`
      const { openStore } = await import('backscroll')
      await (await openStore('sqlite::memory:')).close()`)
    expect(packages.filter((name) => DRIVERS.includes(name))).toEqual(['better-sqlite3'])
  })

  it('on Postgres loads postgres and not better-sqlite3', async () => {
    const { packages } = await inHost(`
      const { openStore } = await import('backscroll')
      await (await openStore(process.env.DATABASE_URL, { migrate: false })).close()`)
    expect(packages.filter((name) => DRIVERS.includes(name))).toEqual(['postgres'])
  })

  it('loads no ranks before a turn is counted, and then those of one encoding', async () => {
    const { modules } = await inHost(`
      const { openStore } = await import('backscroll')
      const store = await openStore('sqlite::memory:')
      const conversation = store.conversation({ userId: 'ada', conversationId: 'one' })
      await conversation.loadWindow({ maxTokens: 10 })
      note('loaded a window')
      await conversation.append([{ role: 'user', content: 'hi' }])
      await store.close()`)
    const ranks = modules
      .filter((url) => /js-tiktoken|^loaded a window$/.test(url))
      .map((url) => basename(url))
    expect(ranks).toEqual(['loaded a window', 'o200k_base.js'])
  })
})

describe('the package', () => {
  it('exports these names and no others', async () => {
    const { value } = await inHost(`
      const names = async (door) => Object.keys(await import(door)).toSorted()
      result = await Promise.all(${JSON.stringify(DOORS)}.map(names))`)
    const own = [
      'ConversationChain',
      'ConversationTokenBufferMemory',
      'ENCODINGS',
      'encodingForModel',
      'openStore',
      'textFraming',
      'toPlainMessage',
      ...Object.keys(errors),
    ]
    expect(value).toEqual([
      own.toSorted(),
      ['conversations', 'migrations', 'operations', 'schema', 'sqliteStore', 'turns'],
      [
        ...['conversations', 'migrations', 'operations', 'postgresStore', 'rowLevelSecurityPolicies'],
        ...['schema', 'turns'],
      ],
      ['CHECKS', 'ConformanceError', 'checkStore'],
      ['encryption'],
      ['BackscrollChatMessageHistory', 'ConversationTokenBufferMemory'],
      ['BackscrollSession'],
      ['keepUnder', 'loadModelMessages', 'loadUIMessages', 'saveModelMessages', 'saveUIMessages'],
    ])
  })

  it('can be required: what is required is what is imported', async () => {
    const { value } = await inHost(`
      const { createRequire } = await import('node:module')
      const require = createRequire(import.meta.url)
      result = await Promise.all(${JSON.stringify(DOORS)}.map(async (door) => {
        const [required, imported] = [require(door), await import(door)]
        return Object.keys(imported).every((name) => required[name] === imported[name])
      }))`)
    expect(value).toEqual(DOORS.map(() => true))
  })

  it('lets nobody in by another door', async () => {
    const { value } = await inHost(`
      result = await import('backscroll/dist/store/codec.js').then(() => 'in', (error) => error.code)`)
    expect(value).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED')
  })

  it('ships the built sources, the migrations and four documents, and nothing else', async () => {
    const pack = ['pack', '--dry-run', '--json', '--ignore-scripts']
    const { stdout } = await run('npm', pack, { cwd: built.folder })
    const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }]
    const sources = filesIn(join(built.folder, 'src')).map((file) => file.replace(/\.ts$/, ''))
    const migrations = filesIn(join(built.folder, 'migrations')).filter(
      (file) => !file.endsWith('_snapshot.json'),
    )
    expect(files.map(({ path }) => path).toSorted()).toEqual(
      [
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        'package.json',
        ...migrations.map((file) => `migrations/${file}`),
        ...sources.map((file) => `dist/${file}.js`),
        ...reachableTypes(),
      ].toSorted(),
    )
    expect(migrations.length).toBeGreaterThanOrEqual(4)
  })
})

/** The declarations that somebody who imports one of the doors needs. */
function reachableTypes(): string[] {
  const reached = new Set<string>()
  const reach = (file: string) => {
    if (reached.has(file)) return
    reached.add(file)
    const text = readFileSync(join(built.folder, file), 'utf8')
    for (const [, path] of text.matchAll(/(?:from|import\() ?'(\.\.?\/[^']+)\.[jt]s'/g)) {
      reach(`${join(dirname(file), path!)}.d.ts`)
    }
  }
  for (const door of DOORS) reach(`dist/${door === 'backscroll' ? 'index' : basename(door)}.d.ts`)
  return [...reached]
}

describe('without a driver', () => {
  let bare: BuiltPackage
  beforeAll(async () => void (bare = await buildPackage()))
  afterAll(() => bare.remove())
  const openWith = async (...drivers: string[]) => {
    bare.installOnly(['drizzle-orm', 'js-tiktoken', ...drivers])
    return (await inHost(OPEN, bare)).value
  }

  /** What becomes of opening each database. */
  const OPEN = `
    const { BackscrollError, openStore } = await import('backscroll')
    const settle = (call) => call().then((store) => store.close()).then(() => 'opened', (error) => {
      if (!(error instanceof BackscrollError)) throw error
      return [error.code, error.message, error.cause]
    })
    result = [
      await settle(() => openStore('sqlite::memory:')),
      await settle(() => openStore(process.env.DATABASE_URL, { migrate: false })),
    ]`
  const notFound = { name: 'Error', code: 'ERR_MODULE_NOT_FOUND' }
  const noSqlite = 'SQLite needs the package better-sqlite3, version 12 or 13: npm install better-sqlite3'
  const noPostgres = 'Postgres needs the package postgres, version 3.4 or later: npm install postgres'

  it('both databases say which package is missing', async () => {
    expect(await openWith()).toEqual([
      ['MISSING_DRIVER', noSqlite, notFound],
      ['MISSING_DRIVER', noPostgres, notFound],
    ])
  })

  it('each database works without the driver of the other', async () => {
    expect(await openWith('postgres')).toEqual([['MISSING_DRIVER', noSqlite, notFound], 'opened'])
    expect(await openWith('better-sqlite3')).toEqual(['opened', ['MISSING_DRIVER', noPostgres, notFound]])
  })
})

describe('the command line', () => {
  const main = () => join(built.folder, 'dist/cli/main.js')

  it('runs as it is built, from any folder', async () => {
    const { version, bin } = JSON.parse(readFileSync(join(built.folder, 'package.json'), 'utf8')) as {
      version: string
      bin: Record<string, string>
    }
    expect(join(built.folder, bin['backscroll']!)).toBe(main())
    expect(readFileSync(main(), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
    const ended = await run(process.execPath, [main(), '--version'], { cwd: built.host })
    expect(ended).toEqual({ stdout: `${version}\n`, stderr: '', exitCode: 0 })
  })

  it('says which package a chat needs, in one line', async () => {
    const bare = await buildPackage()
    try {
      bare.installOnly(['drizzle-orm', 'js-tiktoken', 'better-sqlite3'])
      const chat = [join(bare.folder, 'dist/cli/main.js'), 'chat']
      const ended = await run(process.execPath, chat, { cwd: bare.host })
      expect(ended).toMatchObject({ stdout: '', exitCode: 1 })
      expect(ended.stderr).toMatch(
        /^backscroll: A chat needs the package openai, version 5, 6 or 7: npm install openai .*\n$/,
      )
    } finally {
      bare.remove()
    }
  })
})

describe('better-sqlite3 13', () => {
  it.skipIf(Number(process.versions.napi) >= 10)('is refused on a Node that it would crash', async () => {
    const bare = await buildPackage()
    try {
      bare.installOnly(['drizzle-orm', 'js-tiktoken'])
      const folder = join(bare.folder, '../node_modules/better-sqlite3')
      mkdirSync(folder)
      writeFileSync(join(folder, 'package.json'), '{ "version": "13.0.1", "main": "index.js" }')
      writeFileSync(join(folder, 'index.js'), 'module.exports = class { constructor() { process.abort() } }')
      const code = `
        const { openStore } = await import('backscroll')
        result = await openStore('sqlite::memory:').catch(({ code, message }) => [code, message])`
      expect((await inHost(code, bare)).value).toEqual([
        'MISSING_DRIVER',
        'better-sqlite3 13 needs Node 22.14 or later. On this Node: npm install better-sqlite3@12',
      ])
    } finally {
      bare.remove()
    }
  })
})

interface Observed {
  /** Whatever the code put into `result`; otherwise what it left open, and the files it made in its folder. */
  readonly value: unknown
  /** The modules that were loaded, by URL, in order. */
  readonly modules: readonly string[]
  /** The packages that they belong to, backscroll left out. */
  readonly packages: readonly string[]
}

let runs = 0

/** Runs code in a host, in a process of its own, and observes what it loads: by `import` and by `require`. */
async function inHost(code: string, { host } = built): Promise<Observed> {
  const name = join(host, `run-${++runs}`)
  writeFileSync(`${name}.log`, '')
  writeFileSync(`${name}-hooks.mjs`, HOOKS)
  writeFileSync(`${name}.mjs`, `import { register } from 'node:module'\n${OBSERVE}\n${code}\n${REPORT}`)
  const env = {
    ...process.env,
    DATABASE_URL: inject('postgresUrl'),
    LOG: `${name}.log`,
    HOOKS: `${name}-hooks.mjs`,
  }
  const { stdout, stderr, exitCode } = await run(process.execPath, [`${name}.mjs`], { cwd: host, env })
  if (exitCode !== 0 || stderr !== '') throw new Error(`It ended with ${exitCode}: ${stderr}`)
  const modules = readFileSync(`${name}.log`, 'utf8').split('\n')
  const packages = modules.flatMap((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ?? [])
  return { value: JSON.parse(stdout), modules, packages: [...new Set(packages)].toSorted() }
}

const HOOKS = `
  import { appendFileSync } from 'node:fs'
  export async function load(url, context, next) {
    appendFileSync(process.env.LOG, url + '\\n')
    return next(url, context)
  }`

const OBSERVE = `
  import { appendFileSync, readdirSync } from 'node:fs'
  import Module from 'node:module'
  import { pathToFileURL } from 'node:url'
  const note = (line) => appendFileSync(process.env.LOG, line + '\\n')
  const load = Module._load
  Module._load = function (request, parent, isMain) {
    const file = Module._resolveFilename(request, parent, isMain)
    if (!Module.isBuiltin(file)) note(pathToFileURL(file).href)
    return load.call(this, request, parent, isMain)
  }
  const before = readdirSync('.')
  register(pathToFileURL(process.env.HOOKS))
  let result`

const REPORT = `
  const resources = process.getActiveResourcesInfo().filter((name) => !/^(MessagePort|Immediate|PipeWrap)$/.test(name))
  const files = readdirSync('.').filter((file) => !before.includes(file) && !process.env.LOG.endsWith(file))
  process.stdout.write(JSON.stringify(result ?? { resources, files }))`

function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
}
