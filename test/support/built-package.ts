import { execFile } from 'node:child_process'
import {
  writeFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')

/** What makes, measures or is made: none of it is part of the sources that a package is built from. */
const NOT_SOURCES = new Set(['node_modules', 'bench', 'dist', 'coverage', '.git'])

/** The library as npm would install it, built anew from the sources, beside a host that uses it. */
export interface BuiltPackage {
  /** The package's own folder: the repository's files and `dist`. */
  readonly folder: string
  /** A folder of a host in which `import 'backscroll'` finds the package. */
  readonly host: string
  /** Leaves only these packages of the repository beside it. Its own dependencies have to be among them. */
  installOnly(packages: readonly string[]): void
  remove(): void
}

/** Builds the package in a folder of its own, so that tests which run at the same time do not see it half built. */
export async function buildPackage(): Promise<BuiltPackage> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'backscroll-package-')))
  const built = { folder: join(folder, 'package'), host: join(folder, 'host') }
  for (const name of readdirSync(ROOT)) {
    if (NOT_SOURCES.has(name)) continue
    cpSync(join(ROOT, name), join(built.folder, name), { recursive: true })
  }
  const installed = join(folder, 'node_modules')
  symlinkSync(join(ROOT, 'node_modules'), installed)
  mkdirSync(join(built.host, 'node_modules'), { recursive: true })
  symlinkSync(built.folder, join(built.host, 'node_modules/backscroll'))
  const result = await run('npm', ['run', 'build'], { cwd: built.folder })
  if (result.exitCode !== 0) {
    rmSync(folder, { recursive: true })
    throw new Error(`The package does not build:\n${result.stdout}`)
  }
  return {
    ...built,
    installOnly(packages) {
      rmSync(installed, { recursive: true })
      mkdirSync(installed)
      for (const name of packages) {
        mkdirSync(dirname(join(installed, name)), { recursive: true })
        symlinkSync(join(ROOT, 'node_modules', name), join(installed, name))
      }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** What a process printed, and how it ended. */
export interface Ended {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

/** Runs a program to its end. */
export function run(
  program: string,
  args: readonly string[],
  options: { cwd: string; env?: NodeJS.ProcessEnv },
): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(program, args, { maxBuffer: 1e8, timeout: 110_000, ...options }, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ stdout, stderr, exitCode })
    })
  })
}

/** Type-checks a host's modules as strictly as TypeScript can, and writes what they compile to beside them. */
export function compileHost(host: string): Promise<Ended> {
  const config = {
    compilerOptions: {
      target: 'es2023',
      lib: ['es2024', 'esnext.disposable'],
      module: 'nodenext',
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: true,
    },
    include: ['**/*.ts'],
  }
  writeFileSync(join(host, 'tsconfig.json'), JSON.stringify(config))
  writeFileSync(join(host, 'package.json'), JSON.stringify({ type: 'module' }))
  return run(process.execPath, [TSC, '-p', '.'], { cwd: host })
}
