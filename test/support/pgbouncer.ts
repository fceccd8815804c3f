import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { describe, it } from 'vitest'

/** Where it is installed, if it is. Debian puts it where only root looks for programs. */
const PROGRAM = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
  .map((folder) => join(folder, 'pgbouncer'))
  .find((path) => existsSync(path))

/**
 * Tests that go through a real PgBouncer. Where it is not installed they are shown as skipped, and why; where the
 * environment says that it must be (`BACKSCROLL_PGBOUNCER=required`), they fail.
 */
export function describeBehindPgBouncer(title: string, tests: () => void): void {
  if (PROGRAM !== undefined) return void describe(title, tests)
  if (process.env['BACKSCROLL_PGBOUNCER'] !== 'required') {
    return void describe.skip(`${title} (PgBouncer is not installed: apt-get install pgbouncer)`, tests)
  }
  describe(title, () => {
    it('is tested with PgBouncer', () => {
      throw new Error('BACKSCROLL_PGBOUNCER says required, and pgbouncer is not installed.')
    })
  })
}

/** What a PgBouncer is to be like. */
export interface PgBouncerOptions {
  readonly mode: 'transaction' | 'session' | 'statement'
  /** Who may come: passwords by name, with which PgBouncer goes on to the server. */
  readonly users: Readonly<Record<string, string>>
  /** Other settings of its configuration file. */
  readonly settings?: Readonly<Record<string, string | number>>
}

/** A PgBouncer between the tests and a server, with two connections to it for each database and user. */
export interface PgBouncer {
  /** The URL of a database of the server, through here. */
  urlOf(databaseUrl: string): string
  /** Ends it as a crash would: every connection is cut, on both sides. */
  kill(): Promise<void>
  /** On the same port. */
  startAgain(): Promise<void>
  /** Ends it and removes its files. */
  stop(): Promise<void>
}

/** Starts one on a free port of 127.0.0.1. */
export async function startPgBouncer(
  serverUrl: string,
  { mode, users, settings = {} }: PgBouncerOptions,
): Promise<PgBouncer> {
  const folder = await mkdtemp(join(tmpdir(), 'backscroll-pgbouncer-'))
  // Started by root, it runs as another user, who must be able to enter.
  await chmod(folder, 0o755)
  const { hostname, port: serverPort } = new URL(serverUrl)
  const port = await freePort()
  const configuration = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'trust',
    auth_file: join(folder, 'users'),
    pool_mode: mode,
    default_pool_size: 2,
    max_client_conn: 200,
    ...settings,
  }
  const lines = Object.entries(configuration).map(([name, value]) => `${name} = ${value}`)
  const databases = `[databases]\n* = host=${hostname} port=${serverPort || 5432}`
  await writeFile(join(folder, 'pgbouncer.ini'), `${databases}\n[pgbouncer]\n${lines.join('\n')}\n`)
  const names = Object.entries(users).map(([name, password]) => `"${name}" "${password}"\n`)
  await writeFile(join(folder, 'users'), names.join(''))

  let child = await run(folder, port)
  const kill = async () => {
    const ended = once(child, 'close')
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    else return
    await ended
  }
  return {
    urlOf(databaseUrl) {
      const url = new URL(databaseUrl)
      url.host = `127.0.0.1:${port}`
      return url.href
    },
    kill,
    startAgain: async () => void (child = await run(folder, port)),
    async stop() {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Starts the program, and waits until it takes connections. */
async function run(folder: string, port: number): Promise<ChildProcess> {
  // It refuses to run as root. Its package brings the user postgres.
  const asOther = process.getuid?.() === 0 ? ['-u', 'postgres'] : []
  const child = spawn(PROGRAM!, [...asOther, join(folder, 'pgbouncer.ini')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let output = ''
  child.stderr.on('data', (text: Buffer) => (output = `${output}${text.toString()}`.slice(-2000)))
  while (!(await isListening(port))) {
    if (child.exitCode !== null) throw new Error(`PgBouncer did not start:\n${output}`)
    await setTimeout(10)
  }
  return child
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  if (address === null || typeof address === 'string') throw new Error('No free port on 127.0.0.1.')
  return address.port
}
