import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run, type Ended } from '../support/built-package.ts'
import { guideFile } from './guide.ts'

/** An app in which the guide's scripts find what they import: backscroll from its sources, LangChain's readers played. */
export interface Host {
  /** Runs a script, and then once more. */
  runTwice(script: string, urls: { OLD: string; NEW: string }): Promise<Ended>
  remove(): void
}

/** Makes such an app, with these scripts of the guide in it. */
export function hostWith(scripts: readonly string[]): Host {
  const folder = mkdtempSync(join(tmpdir(), 'backscroll-migrating-'))
  const install = (name: string, url: URL) => {
    const path = join(folder, 'node_modules', name)
    mkdirSync(dirname(path), { recursive: true })
    symlinkSync(fileURLToPath(url), path)
  }
  const offer = (name: string, exports: Record<string, string>) =>
    writeFileSync(join(folder, 'node_modules', name, 'package.json'), JSON.stringify({ exports }))
  install('pg', new URL('../../node_modules/pg', import.meta.url))
  install('backscroll/src', new URL('../../src', import.meta.url))
  offer('backscroll', { '.': './src/index.ts', './langchain': './src/langchain.ts' })
  install('@langchain/community/postgres.ts', new URL('./peers/postgres-history.ts', import.meta.url))
  offer('@langchain/community', { './stores/message/postgres': './postgres.ts' })
  const saver = '@langchain/langgraph-checkpoint-postgres'
  install(`${saver}/index.ts`, new URL('./peers/postgres-saver.ts', import.meta.url))
  offer(saver, { '.': './index.ts' })
  for (const name of scripts) writeFileSync(join(folder, name), guideFile(name))
  return {
    runTwice: (script, urls) => {
      // In one process, which takes its time to start.
      const twice = `await import('./${script}'); await import('./${script}?again')`
      const args = ['--import', import.meta.resolve('tsx'), '--input-type', 'module', '--eval', twice]
      return run(process.execPath, args, { cwd: folder, env: { ...process.env, ...urls } })
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
