import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { PeerName } from './peers.ts'

/** What a process is to load, once: nothing, where it is to show what a process takes that does nothing. */
export interface OneLoad {
  readonly name: PeerName
  readonly postgresUrl: string
  readonly folder: string
  readonly conversation: string
  readonly limit: number
}

const SCRIPT = fileURLToPath(new URL('load-once.ts', import.meta.url))

/** MiB of memory at the peak of a process that opens a peer and loads once, all that it imports included. */
export async function peakMemory(load: OneLoad | null): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, SCRIPT], {
    // Not as an argument, which others could read: it holds the password.
    env: { ...process.env, ONE_LOAD: JSON.stringify(load) },
  })
  return Number(stdout) / 1024
}
