import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, release, totalmem } from 'node:os'

/** Where and with what figures were made: what a figure needs to mean anything. */
export interface Machine {
  readonly cpu: string
  /** How many threads may run at once. */
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  /** Packages and servers that took part, by name. */
  readonly versions: Readonly<Record<string, string>>
  /** Of this repository; with a plus sign where files were changed since. */
  readonly commit: string
  readonly command: string
  /** ISO 8601. */
  readonly date: string
}

/** This machine, with the versions of installed packages, and of others that are given. */
export function describeMachine(
  packages: readonly string[],
  versions: Readonly<Record<string, string>> = {},
): Machine {
  const installed = packages.map((name) => [name, installedVersion(name)] as const)
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    node: process.version,
    versions: { ...Object.fromEntries(installed), ...versions },
    commit: commit(),
    command: [`npm run ${process.env['npm_lifecycle_event'] ?? '(none)'} --`, ...process.argv.slice(2)].join(
      ' ',
    ),
    date: new Date().toISOString(),
  }
}

/** It in a line or two, as it stands below a table. */
export function inWords(machine: Machine): string {
  const { cpu, cores, memoryGiB, node, versions, commit: at, date, command } = machine
  const withVersions = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [
    `${cpu}, ${cores} cores, ${memoryGiB} GiB, Node ${node.slice(1)}, ${withVersions.join(', ')};`,
    `commit ${at}, ${date.slice(0, 10)}, \`${command.replace(/ --$/, '')}\``,
  ].join(' ')
}

const require = createRequire(import.meta.url)

/** From its folder: not every package lets its package.json be imported. */
function installedVersion(name: string): string {
  const folder = require.resolve.paths(name)?.map((path) => `${path}/${name}/package.json`) ?? []
  for (const path of folder) {
    try {
      return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  throw new Error(`${name} is not installed.`)
}

function commit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    const changed = git('status', '--porcelain', '--', 'src', 'bench', 'package-lock.json', ':!bench/results')
    return git('rev-parse', '--short', 'HEAD') + (changed === '' ? '' : '+')
  } catch {
    return 'unknown'
  }
}
