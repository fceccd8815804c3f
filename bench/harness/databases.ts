import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { startPostgres } from '../../test/support/postgres-server.ts'

/** A database for a benchmark, removed when it ends. */
export interface BenchDatabase extends AsyncDisposable {
  /** As `openStore` takes it. */
  readonly url: string
  /** Of the server, or of SQLite. */
  readonly version: string
  /** Another one with the same content, on which nobody works meanwhile. Returns its URL; it goes when this one does. */
  copy(): Promise<string>
}

/** A file in a folder of its own. */
export async function sqliteFile(): Promise<BenchDatabase> {
  const { default: Database } = await import('better-sqlite3')
  const memory = new Database(':memory:')
  const version = memory.prepare('select sqlite_version()').pluck().get() as string
  memory.close()
  const folder = mkdtempSync(join(tmpdir(), 'backscroll-bench-'))
  const path = join(folder, 'bench.db')
  let copies = 0
  return {
    url: `sqlite:${path}`,
    version,
    async copy() {
      const other = join(folder, `copy-${++copies}.db`)
      copyFileSync(path, other)
      return `sqlite:${other}`
    },
    async [Symbol.asyncDispose]() {
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/**
 * A server of its own, with PostgreSQL's default settings (fsync and synchronous_commit on); or where `DATABASE_URL`
 * names a server, a database on that, which is dropped at the end.
 */
export async function postgresDatabase(): Promise<BenchDatabase> {
  const given = process.env['DATABASE_URL']
  const server = given === undefined ? await startPostgres() : undefined
  const admin = postgres(given ?? server!.url, { max: 1, onnotice: () => {} })
  const name = `backscroll_bench_${process.pid}`
  await admin.unsafe(`create database ${name}`)
  const [row] = await admin`show server_version`
  const names = [name]
  const urlOf = (database: string) => {
    const url = new URL(given ?? server!.url)
    url.pathname = `/${database}`
    return url.href
  }
  return {
    url: urlOf(name),
    version: (row as { server_version: string }).server_version.split(' ')[0]!,
    async copy() {
      const other = `${name}_${names.length}`
      await admin.unsafe(`create database ${other} template ${name}`)
      names.push(other)
      return urlOf(other)
    },
    async [Symbol.asyncDispose]() {
      for (const each of names) await admin.unsafe(`drop database ${each} with (force)`)
      await admin.end()
      await server?.stop()
    },
  }
}
