import postgres from 'postgres'
import type { Peer, PeerTurn } from './peer.ts'

/** As many turns are stored one by one where the others are stored in one write. */
const ONE_BY_ONE = 20

/** Stores a conversation, and gives the bytes that a turn took: of a peer that stores it at once, each of the last turns. */
export async function fillPeer(
  peer: Peer,
  conversation: string,
  turns: readonly PeerTurn[],
): Promise<number> {
  const last = peer.fillAtOnce === undefined ? turns : turns.slice(-ONE_BY_ONE)
  if (last.length < turns.length) await peer.fillAtOnce?.(conversation, turns.slice(0, -last.length))
  const before = await peer.bytes()
  await peer.fill(conversation, last)
  return ((await peer.bytes()) - before) / last.length
}

/**
 * Whether Postgres waits for its disk, for connections that are opened from now on. It need not while conversations are
 * filled: the rows are the same, and 100,000 of them come in a minute.
 */
export async function waitForDisk(postgresUrl: string, wait: boolean): Promise<void> {
  const admin = postgres(postgresUrl, { max: 1 })
  const name = new URL(postgresUrl).pathname.slice(1)
  await admin.unsafe(`alter database ${name} set synchronous_commit = ${wait ? 'on' : 'off'}`)
  await admin.end()
}
