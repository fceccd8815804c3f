import type { Peer, PeerKind, Place } from './peer.ts'
import type { Kinds, PeerName } from './peers.ts'
import { Tokenizer } from './tokenizer.ts'

/** Where the peers keep their conversations. */
export type Site = Omit<Place, 'tokenizer'>

/** A peer in use. */
export interface OpenedPeer {
  readonly name: PeerName
  readonly kind: PeerKind
  readonly peer: Peer
  /** Told of all that this peer counts. */
  readonly tokenizer: Tokenizer
}

/** Opens peers, each with a token counter of its own. Disposing of them closes them. */
export async function openPeers(
  kinds: Kinds,
  names: readonly PeerName[],
  site: Site,
  count: (text: string) => number,
): Promise<AsyncDisposable & { readonly peers: readonly OpenedPeer[] }> {
  const peers: OpenedPeer[] = []
  for (const name of names) {
    const tokenizer = new Tokenizer(count)
    peers.push({ name, kind: kinds[name], peer: await kinds[name].open({ ...site, tokenizer }), tokenizer })
  }
  return {
    peers,
    async [Symbol.asyncDispose]() {
      for (const { peer } of peers) await peer.close()
    },
  }
}
