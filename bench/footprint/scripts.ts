import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BuiltPackage } from '../../test/support/built-package.ts'

/** Writes scripts beside the package, and gives for each a call that runs it in a process and gives what it printed. */
export function scriptCalls<Name extends string>(
  { host }: BuiltPackage,
  scripts: Readonly<Record<Name, string>>,
  options: readonly string[] = [],
): Record<Name, () => string> {
  const calls = Object.entries<string>(scripts).map(([name, code], at) => {
    const script = join(host, `script-${at}.mjs`)
    writeFileSync(script, code)
    return [name, () => execFileSync(process.execPath, [...options, script], { encoding: 'utf8' })] as const
  })
  return Object.fromEntries(calls) as Record<Name, () => string>
}
