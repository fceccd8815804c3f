import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withoutCredentials } from '../src/cli/database.ts'

/** The database that the demo works on. */
export interface DemoDatabase {
  readonly url: string
  /** The URL without user, password and parameters. */
  readonly shown: string
  readonly temporary: boolean
}

/** The database that the caller named, or a new SQLite file, which is gone when the process ends unless it is kept. */
export function demoDatabase(url: string | undefined, { keep }: { keep: boolean }): DemoDatabase {
  if (url !== undefined) return { url, shown: withoutCredentials(url), temporary: false }
  const folder = mkdtempSync(join(tmpdir(), 'backscroll-demo-'))
  if (!keep) {
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
    // By itself a signal ends the process without its exit handlers.
    process.once('SIGINT', () => process.exit(130))
    process.once('SIGTERM', () => process.exit(143))
  }
  const created = `sqlite:${join(folder, 'demo.db')}`
  return { url: created, shown: created, temporary: !keep }
}
