import { mkdtempSync, rmSync } from 'node:fs'
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
}

/** A file in a folder of its own. */
export async function sqliteFile(): Promise<BenchDatabase & { readonly path: string }> {
  const { default: Database } = await import('better-sqlite3')
  const memory = new Database(':memory:')
  const version = memory.prepare('select sqlite_version()').pluck().get() as string
  memory.close()
  const folder = mkdtempSync(join(tmpdir(), 'backscroll-bench-'))
  const path = join(folder, 'bench.db')
  return {
    path,
    url: `sqlite:${path}`,
    version,
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
  const url = new URL(given ?? server!.url)
  url.pathname = `/${name}`
  return {
    url: url.href,
    version: (row as { server_version: string }).server_version.split(' ')[0]!,
    async [Symbol.asyncDispose]() {
      await admin.unsafe(`drop database ${name} with (force)`)
      await admin.end()
      await server?.stop()
    },
  }
}
