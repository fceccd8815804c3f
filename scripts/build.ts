/**
 * Builds `dist` from `src`: JavaScript without comments, which nobody reads there, and the declarations, with theirs, that
 * can be reached from the package's exports. Run: `npm run build`.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const DIST = join(ROOT, 'dist')
const require = createRequire(import.meta.url)

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>
}

rmSync(DIST, { recursive: true, force: true })
compile()
compile('--declaration', 'false', '--removeComments')
chmodSync(join(DIST, 'cli/main.js'), 0o755)
dropUnreachable()

function compile(...options: string[]): void {
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc')
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', ...options], {
    cwd: ROOT,
    stdio: 'inherit',
  })
}

function dropUnreachable(): void {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest
  const doors = Object.values(exports).flatMap((door) => (typeof door === 'string' ? [] : [door.types]))
  const reachable = new Set<string>()
  const reach = (file: string): void => {
    if (reachable.has(file)) return
    reachable.add(file)
    for (const [, path] of readFileSync(file, 'utf8').matchAll(
      /(?:from |import\()['"](\.[^'"]+)\.[jt]s['"]/g,
    )) {
      reach(`${join(dirname(file), path!)}.d.ts`)
    }
  }
  for (const door of doors) reach(join(ROOT, door))
  for (const name of readdirSync(DIST, { recursive: true, encoding: 'utf8' })) {
    const file = join(DIST, name)
    if (file.endsWith('.d.ts') && !reachable.has(file)) rmSync(file)
  }
}
