import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { ROOT } from './support/source.ts'

/** What a benchmark writes, as far as it is looked at here. */
interface Results {
  readonly machine: Readonly<Record<string, unknown>>
  readonly tables: readonly { readonly title: string; readonly rows: readonly Record<string, unknown>[] }[]
}

/** Programs of the benchmarks that need nothing but what the project itself needs, by what they write. */
const BENCHMARKS = {
  main: 'main.ts',
  encryption: 'encryption.ts',
  'row-level-security': 'row-level-security.ts',
  tokens: 'tokens/main.ts',
  footprint: 'footprint/main.ts',
}

describe('a short run of each benchmark', () => {
  it.each(Object.entries(BENCHMARKS))(
    '%s gives tables without holes, and writes them with the machine that they are of',
    { timeout: 240_000 },
    async (name, program) => {
      const out = mkdtempSync(join(tmpdir(), 'backscroll-bench-results-'))
      onTestFinished(() => rmSync(out, { recursive: true, force: true }))
      const run = [...['--expose-gc', '--import', 'tsx', `bench/${program}`], ...['--short', '--out', out]]
      const env = { ...process.env, DATABASE_URL: inject('postgresUrl') }
      const { stdout } = await promisify(execFile)(process.execPath, run, { cwd: ROOT, env })

      const { machine, tables } = JSON.parse(readFileSync(join(out, `${name}.json`), 'utf8')) as Results
      expect(machine).toMatchObject({ node: process.version, cores: expect.any(Number) as number })
      expect(tables.length).toBeGreaterThan(0)
      for (const { title, rows } of tables) {
        expect(stdout).toContain(title)
        expect(rows.length, title).toBeGreaterThan(0)
        const figures = rows.flatMap((row) => Object.values(row)).filter((cell) => typeof cell === 'number')
        // JSON writes what is no number as null.
        expect(figures.length, title).toBeGreaterThan(0)
        expect(
          rows.flatMap((row) => Object.values(row)),
          title,
        ).not.toContain(null)
      }
      for (const file of readdirSync(out).filter((each) => each.endsWith('.svg'))) {
        expect(readFileSync(join(out, file), 'utf8'), file).toMatch(/^<svg [^]*<\/svg>\s*$/)
      }
    },
  )
})
