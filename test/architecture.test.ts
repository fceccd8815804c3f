import { readdirSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import * as errors from '../src/errors.ts'
import { readModules, ROOT, type Module } from './support/source.ts'

/**
 * The arrows: what each layer may import besides itself. `.` is the front doors in `src`; a file that stands by itself
 * is a layer of its own. Packages count: above the dialects there are none but Node's own.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  cli: ['.', 'transfer', 'local-model', 'tokens', 'errors.ts', 'redact.ts', 'node:'],
  transfer: ['.', 'node:'],
  'local-model': ['types.ts', 'node:'],
  conformance: ['.', 'types.ts', 'errors.ts', 'node:', 'js-tiktoken'],
  '.': [
    'conformance',
    'chain',
    'memory',
    'store',
    'encryption',
    'langchain',
    'openai-agents',
    'ai-sdk',
    'dialect',
    'tokens',
    'types.ts',
    'errors.ts',
  ],
  langchain: ['memory', 'store', 'types.ts', 'errors.ts', 'redact.ts', '@langchain/core'],
  'openai-agents': ['store', 'types.ts', 'errors.ts', 'redact.ts', '@openai/agents-core'],
  'ai-sdk': ['store', 'tokens', 'types.ts', 'errors.ts', 'redact.ts', 'node:', 'ai'],
  encryption: ['store', 'errors.ts', 'redact.ts', 'in-time.ts', 'node:'],
  chain: ['memory', 'store', 'tokens', 'types.ts', 'errors.ts', 'redact.ts', 'in-time.ts', 'node:'],
  memory: ['store', 'tokens', 'types.ts', 'errors.ts', 'redact.ts', 'node:'],
  store: ['dialect', 'tokens', 'types.ts', 'errors.ts', 'redact.ts', 'in-time.ts', 'node:'],
  dialect: ['errors.ts', 'redact.ts', 'in-time.ts', 'node:', 'drizzle-orm'],
  tokens: ['types.ts', 'errors.ts', 'redact.ts', 'node:', 'js-tiktoken'],
  'types.ts': [],
  'errors.ts': ['types.ts', 'redact.ts'],
  'redact.ts': [],
  'in-time.ts': [],
}

/** The front doors: what `package.json` exports. */
const DOORS = [
  'index.ts',
  'sqlite.ts',
  'postgres.ts',
  'conformance.ts',
  'encryption.ts',
  'langchain.ts',
  'openai-agents.ts',
  'ai-sdk.ts',
]

/** A driver's package, or an SDK, belongs to one file. */
const DRIVERS: Readonly<Record<string, string>> = {
  'better-sqlite3': 'dialect/sqlite/connection.ts',
  'drizzle-orm/better-sqlite3': 'dialect/sqlite/connection.ts',
  postgres: 'dialect/postgres/connection.ts',
  'drizzle-orm/postgres-js': 'dialect/postgres/connection.ts',
  openai: 'cli/chat/model.ts',
}

const DIALECTS = ['sqlite', 'postgres']

let modules: Module[]
beforeAll(() => void (modules = readModules()))

describe('what imports what', () => {
  it('reads every file of the library', () => {
    const files = readdirSync(`${ROOT}src`, { recursive: true, encoding: 'utf8' })
    const sources = files.filter((file) => file.endsWith('.ts'))
    expect(modules.map(({ path }) => path).toSorted()).toEqual(sources.toSorted())
    expect(sources.length).toBeGreaterThan(40)
  })

  it('has a place for every file', () => {
    expect(modules.map(({ path }) => layerOf(path)).filter((layer) => !(layer in MAY_IMPORT))).toEqual([])
  })

  it('goes one way: front doors, memory, store, dialect; tokens is a leaf', () => {
    const against = edges().filter(({ path, from }) => {
      const layer = layerOf(path)
      const target = targetOf(from)
      return target !== layer && DRIVERS[from] !== path && !MAY_IMPORT[layer]?.includes(target)
    })
    expect(against).toEqual([])
  })

  it('loads a driver or an SDK from the one file that connects', () => {
    const drivers = edges().filter(({ from }) => from in DRIVERS)
    expect(drivers.map(({ from, path }) => [from, path]).toSorted()).toEqual(
      Object.entries(DRIVERS).toSorted(),
    )
  })

  it('keeps the two dialects apart', () => {
    const across = edges().filter(({ path, from }) =>
      DIALECTS.some(
        (one) =>
          path.startsWith(`dialect/${one}/`) &&
          DIALECTS.some((other) => other !== one && from.includes(other)),
      ),
    )
    expect(across).toEqual([])
  })

  it('has no circle of imports that run', () => {
    expect(circles()).toEqual([])
  })
})

describe('the dialects', () => {
  it('have the same files', () => {
    for (const dialect of DIALECTS) {
      expect(filesIn(`dialect/${dialect}`), dialect).toEqual([
        'connection.ts',
        'examine.ts',
        'failure.ts',
        'host.ts',
        'index.ts',
        'migrate.ts',
        'queries.ts',
        'schema.ts',
        'session.ts',
        'texts.ts',
      ])
    }
  })

  it('are named by nothing above them but their own front doors, and the command line where it takes a URL', () => {
    const doors = ['sqlite.ts', 'postgres.ts', 'cli/database.ts']
    const named = modules
      .filter(({ path }) => !path.startsWith('dialect/') && !doors.includes(path))
      .flatMap(({ path, identifiers, strings, imports }) =>
        [...identifiers, ...imports.map(({ from }) => from), ...strings.filter(isName)]
          .filter((word) => /sqlite|postgres|\bpg\b/i.test(word))
          .map((word) => `${path}: ${word}`),
      )
    expect(named).toEqual([])
  })
})

describe('the front doors', () => {
  it('are the files in src that stand for an entry of the package', () => {
    expect(
      modules
        .filter(({ path }) => layerOf(path) === '.')
        .map(({ path }) => path)
        .toSorted(),
    ).toEqual(DOORS.toSorted())
  })

  it('hold no logic: index.ts only passes on what others export', () => {
    const index = modules.find(({ path }) => path === 'index.ts')!
    expect(new Set(index.statements)).toEqual(new Set(['ExportDeclaration']))
  })
})

describe('each file', () => {
  it('has at most 250 lines', () => {
    const long = modules.filter(({ lineCount }) => lineCount > 250)
    expect(long.map(({ path, lineCount }) => `${path}: ${lineCount}`)).toEqual([])
  })

  it('has a name that says what is in it', () => {
    const vague = /^(util|utils|helper|helpers|common|misc|shared|lib)\b/
    expect(modules.map(({ path }) => path).filter((path) => vague.test(basename(path)))).toEqual([])
  })

  it('exports by name', () => {
    expect(modules.filter(({ hasDefaultExport }) => hasDefaultExport).map(({ path }) => path)).toEqual([])
  })

  it('says what it exports: every export has a doc comment', () => {
    const silent = modules.flatMap(({ path, exports }) =>
      exports.filter(({ documented }) => !documented).map(({ name }) => `${path}: ${name}`),
    )
    expect(silent).toEqual([])
  })

  it('is typed: nothing is any', () => {
    expect(modules.filter(({ usesAny }) => usesAny).map(({ path }) => path)).toEqual([])
  })
})

describe('the errors', () => {
  const classes = Object.values(errors).filter((value) => value !== errors.BackscrollError)

  it('have one base class', () => {
    expect(classes.length).toBeGreaterThan(10)
    for (const one of classes) expect(one.prototype, one.name).toBeInstanceOf(errors.BackscrollError)
  })

  it('have a code each, that no other class has and that follows from the name', () => {
    const codes = classes.map((one) => [one.name, make(one).code])
    expect(new Set(codes.map(([, code]) => code)).size).toBe(classes.length)
    expect(codes).toEqual(classes.map(({ name }) => [name, codeFor(name)]))
  })

  it('have the name of their class, which a log line then shows', () => {
    for (const one of classes) expect(String(make(one)), one.name).toMatch(new RegExp(`^${one.name}: `))
  })
})

/** Every import, as a pair of module and target. */
function edges({ running = false } = {}): { path: string; from: string }[] {
  return modules.flatMap(({ path, imports }) =>
    imports.filter(({ typeOnly }) => !(running && typeOnly)).map(({ from }) => ({ path, from })),
  )
}

/** The folder of a module, or itself where it stands in `src` and is no front door. */
function layerOf(path: string): string {
  const [first] = path.split('/') as [string]
  return first === path && DOORS.includes(path) ? '.' : first
}

/** The layer that an import reaches, or its package. */
function targetOf(from: string): string {
  if (from.startsWith('node:')) return 'node:'
  if (modules.some(({ path }) => path === from)) return layerOf(from)
  return from.split('/', from.startsWith('@') ? 2 : 1).join('/')
}

/** A text that names something, as opposed to a sentence: an error may say which database it is about. */
function isName(text: string): boolean {
  return text !== '' && !/\s/.test(text)
}

function filesIn(folder: string): string[] {
  const inside = modules.filter(({ path }) => dirname(path) === folder)
  return inside.map(({ path }) => basename(path)).toSorted()
}

/** Each circle once, as the modules that it runs through. */
function circles(): string[] {
  const all = edges({ running: true })
  const found = new Set<string>()
  const walk = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0) return void found.add(trail.slice(start).toSorted().join(' '))
    if (done.has(path)) return
    for (const { from } of all.filter((edge) => edge.path === path)) walk(from, [...trail, path])
    done.add(path)
  }
  const done = new Set<string>()
  for (const { path } of modules) walk(path, [])
  return [...found]
}

function make(one: (typeof errors)[keyof typeof errors]): errors.BackscrollError {
  return Reflect.construct(one, ['What happened.'])
}

/** `UnknownModelError` has the code `UNKNOWN_MODEL`; only the word Error is dropped where it says nothing. */
function codeFor(name: string): string {
  const words = name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()
  return words === 'DATABASE_ERROR' ? words : words.replace(/_ERROR$/, '')
}
