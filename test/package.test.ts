import { mkdirSync, readdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildPackage, run, type BuiltPackage } from './support/built-package.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** What of package.json is read here. */
interface Manifest {
  readonly name: string
  readonly version: string
  readonly exports: Readonly<Record<string, unknown>>
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
}

interface Tarball {
  readonly filename: string
  /** Bytes. */
  readonly size: number
  readonly unpackedSize: number
}

let built: BuiltPackage
let tarball: Tarball
/** What is in the tarball, by path. */
let files: ReadonlyMap<string, string>
let manifest: Manifest
beforeAll(async () => {
  built = await buildPackage()
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', built.host]
  const packed = await run('npm', pack, { cwd: built.folder })
  ;[tarball] = JSON.parse(packed.stdout) as [Tarball]
  const unpacked = await run('tar', ['-xzf', tarball.filename], { cwd: built.host })
  expect(unpacked.exitCode).toBe(0)
  files = filesIn(join(built.host, 'package'))
  manifest = JSON.parse(files.get('package.json')!) as Manifest
})
afterAll(() => built.remove())

describe('the packed tarball', () => {
  it('has room for itself and for nothing large that came in by mistake', () => {
    // About 193 kB and 750 kB in November 2026. Recorded data, ranks or source maps would go far beyond.
    expect(tarball.size).toBeLessThan(200_000)
    expect(tarball.unpackedSize).toBeLessThan(900_000)
    expect(files.size).toBeGreaterThan(200)
  })

  it('says nothing of the machine on which it was built', () => {
    const folders = [ROOT, tmpdir(), realpathSync(tmpdir()), built.folder, homedir()]
    // A home of `/` or a folder of one name would be found in any text.
    const told = folders.map((folder) => folder.replace(/\/$/, '')).filter((folder) => /.\/./.test(folder))
    const path = /(?:^|[\s'"(=])(?:\/(?:home|Users|root|private|builds|workspace)\/|file:\/\/\/|[A-Z]:\\)/m
    for (const [name, text] of files) {
      expect(
        told.filter((folder) => text.includes(folder)),
        name,
      ).toEqual([])
      expect(path.exec(text)?.[0], name).toBeUndefined()
    }
  })

  it('holds no source maps, no lock file and no settings of a registry', () => {
    for (const [name, text] of files) {
      expect(name).not.toMatch(
        /\.map$|-lock|\.lock|shrinkwrap|npmrc|\.env|tsbuildinfo|\.test\.|\.(?:db|sqlite|jsonl)$/,
      )
      expect(text, name).not.toMatch(/sourceMappingURL|_authToken|publishConfig|"_resolved"/)
    }
    // Links for people aside.
    for (const [name, text] of sources()) expect(text, name).not.toMatch(/registry\./)
  })

  it('makes no code of text, and starts no program', () => {
    for (const [name, text] of sources()) {
      expect(text, name).not.toMatch(/\beval\s*\(|\bnew Function\b|\bFunction\s*\(|node:vm\b|from 'vm'/)
      expect(text, name).not.toMatch(/child_process|node:worker_threads|node:cluster/)
    }
  })

  it('reads the environment in the command line alone', () => {
    const readers = sources().filter(([, text]) => /\bprocess\.env\b|\benv\b.*from 'node:process'/.test(text))
    expect(readers.map(([name]) => name)).toEqual(['dist/cli/main.js'])
  })

  it('loads no module whose name is not written in it, but for the ranks of an encoding and what --codec names', () => {
    for (const [name, text] of sources()) {
      if (name === 'dist/cli/codec.js') continue
      const loads = [...text.matchAll(/\b(?:import|require)\s*\(\s*([^)]*)/g)].map(([, what]) => what!)
      const open = loads.filter((what) => !/^'[^']+'$/.test(what) && !what.startsWith('`js-tiktoken/ranks/'))
      expect(open, name).toEqual([])
    }
  })

  it('runs nothing when it is installed', () => {
    const scripts = Object.keys(manifest.scripts ?? {})
    expect(
      scripts.filter((name) => /^(?:pre|post)?install$|^postprepare$|^dependencies$/.test(name)),
    ).toEqual([])
  })
})

describe('what an app installs with it', () => {
  /** An entry of the lock file. */
  interface Locked {
    readonly dev?: boolean
    readonly devOptional?: boolean
    readonly hasInstallScript?: boolean
    readonly license?: string
    readonly dependencies?: Readonly<Record<string, string>>
  }
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, Locked>>
  }

  /** The packages that come with these, and they themselves. */
  const withDependencies = (names: readonly string[]): string[] => {
    const found = new Set<string>()
    const add = (name: string) => {
      if (found.has(name)) return
      found.add(name)
      Object.keys(packages[`node_modules/${name}`]?.dependencies ?? {}).forEach(add)
    }
    names.forEach(add)
    return [...found].toSorted()
  }

  it('is three packages, none of which runs a script', () => {
    const names = withDependencies(Object.keys(manifest.dependencies ?? {}))
    expect(names).toEqual(['base64-js', 'drizzle-orm', 'js-tiktoken'])
    for (const name of names) {
      expect(packages[`node_modules/${name}`]).toMatchObject({
        license: expect.stringMatching(/^(MIT|Apache-2\.0)$/),
      })
      expect(packages[`node_modules/${name}`]?.hasInstallScript, name).toBeUndefined()
    }
  })

  it('of the drivers and clients, only better-sqlite3 runs a script', () => {
    const names = withDependencies(['better-sqlite3', 'postgres', 'openai'])
    const running = names.filter((name) => packages[`node_modules/${name}`]?.hasInstallScript)
    expect(running).toEqual(['better-sqlite3'])
    expect(names.length).toBeGreaterThan(10)
  })

  it('is named with its version in docs/security.md', () => {
    const page = readFileSync(join(ROOT, 'docs/security.md'), 'utf8')
    for (const name of [
      ...withDependencies(Object.keys(manifest.dependencies ?? {})),
      'better-sqlite3',
      'postgres',
    ])
      expect(page).toContain(`| \`${name}\` `)
  })
})

describe('the tarball in an empty folder, beside its own dependencies alone', () => {
  it('can be imported by each of its doors that needs no peer, and opens and prints nothing', async () => {
    const app = join(built.host, 'app')
    mkdirSync(join(app, 'node_modules'), { recursive: true })
    renameSync(join(built.host, 'package'), join(app, 'node_modules', manifest.name))
    built.installOnly(Object.keys(manifest.dependencies ?? {}))
    const doors = Object.keys(manifest.exports)
      .filter((door) => !door.endsWith('.json'))
      .map((door) => door.replace(/^\./, manifest.name))
    expect(doors).toContain('backscroll/sqlite')
    // They extend, or call, what a host that opens them has. Without it they say what is missing.
    const ofPeers: Readonly<Record<string, string>> = {
      'backscroll/langchain': '@langchain/core',
      'backscroll/ai-sdk': 'ai',
    }
    writeFileSync(
      join(app, 'app.mjs'),
      `const exported = []
      const missing = {}
      for (const door of ${JSON.stringify(doors)}) {
        try {
          exported.push(Object.keys(await import(door)).length)
        } catch ({ code, message }) {
          missing[door] = code + ' ' + /package '([^']+)'/.exec(message)?.[1]
        }
      }
      const { openStore } = await import('backscroll')
      const { code } = await openStore('sqlite::memory:').catch((error) => error)
      process.stdout.write(JSON.stringify({ exported, missing, code }))`,
    )
    const { stdout, stderr, exitCode } = await run(process.execPath, ['app.mjs'], { cwd: app, env: {} })
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 })
    const { exported, missing, code } = JSON.parse(stdout) as {
      exported: number[]
      missing: Record<string, string>
      code: string
    }
    expect(code).toBe('MISSING_DRIVER')
    expect(missing).toEqual(
      Object.fromEntries(
        Object.entries(ofPeers).map(([door, peer]) => [door, `ERR_MODULE_NOT_FOUND ${peer}`]),
      ),
    )
    expect(exported).toHaveLength(doors.length - Object.keys(ofPeers).length)
    expect(Math.min(...exported)).toBeGreaterThan(0)
    expect(readdirSync(app).toSorted()).toEqual(['app.mjs', 'node_modules'])
  })
})

/** The code that runs, without the types and the documents. */
function sources(): (readonly [name: string, text: string])[] {
  return [...files].filter(([name]) => name.endsWith('.js'))
}

function filesIn(folder: string): Map<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  )
  const paths = entries.map(({ parentPath, name }) => join(parentPath, name))
  return new Map(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]))
}
