import { execFileSync } from 'node:child_process'
import { delimiter } from 'node:path'
import { startPgBouncer } from '../../test/support/pgbouncer.ts'

/** The most connections to the server: as many as one app's pool has. */
const POOL_SIZE = 10

/** A PgBouncer in transaction mode, stopped when it is disposed of. */
export interface Pooler extends AsyncDisposable {
  /** The URL of the database through it. */
  readonly url: string
  readonly version: string
}

/** Starts one before the server of a database; gives undefined where it is not installed. */
export async function startPooler(databaseUrl: string): Promise<Pooler | undefined> {
  const version = installedVersion()
  if (version === undefined) return undefined
  const { username, password } = new URL(databaseUrl)
  const pooler = await startPgBouncer(databaseUrl, {
    mode: 'transaction',
    users: { [decodeURIComponent(username)]: decodeURIComponent(password) },
    settings: { default_pool_size: POOL_SIZE },
  })
  return { url: pooler.urlOf(databaseUrl), version, [Symbol.asyncDispose]: () => pooler.stop() }
}

function installedVersion(): string | undefined {
  // Debian puts it where only root looks for programs.
  const PATH = [process.env['PATH'], '/usr/sbin'].join(delimiter)
  try {
    const [line = ''] = execFileSync('pgbouncer', ['--version'], {
      encoding: 'utf8',
      env: { ...process.env, PATH },
    }).split('\n')
    return line.split(' ').at(-1)!
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
