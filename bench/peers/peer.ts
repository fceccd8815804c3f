import type { Tokenizer } from './tokenizer.ts'

/** A message as every peer can hold it: a text of one of the two sides. */
export interface PeerMessage {
  readonly role: 'user' | 'assistant'
  readonly content: string
}

/** A turn as every peer can hold it. LangChain's `saveContext` takes no other: so tool calls are left out for all. */
export type PeerTurn = readonly [question: PeerMessage, answer: PeerMessage]

/** Where a peer keeps its conversations, and what it counts tokens with where it asks its user for a counter. */
export interface Place {
  readonly postgresUrl: string
  /** For the file of a peer that keeps one. */
  readonly folder: string
  readonly tokenizer: Tokenizer
}

/** Conversations in a peer's hands. */
export interface Peer {
  /** Stores turns through the peer's own API, each as a chat step would. */
  fill(conversation: string, turns: readonly PeerTurn[]): Promise<void>
  /** Stores turns in one write of the peer's own API: only where one write each would take too long. */
  fillAtOnce?(conversation: string, turns: readonly PeerTurn[]): Promise<void>
  /** What the peer would give to the model. */
  load(conversation: string, limit: number): Promise<readonly PeerMessage[]>
  /** A chat step: calls `answered` when the model could be asked, and then stores the turn. */
  chat(conversation: string, limit: number, turn: PeerTurn, answered: () => void): Promise<void>
  /** Tokens of a window as the peer counts them against its limit: where that is not the text that it renders to. */
  count?(window: readonly PeerMessage[]): number | Promise<number>
  /** Bytes of its tables or its file, indexes and all. */
  bytes(): Promise<number>
  close(): Promise<void>
}

/** How long a conversation may be, in turns, so that a call ends within half a minute. */
export interface Reach {
  readonly load: number
  readonly chat: number
  /** For a chat step whose tokens are estimated and not counted. */
  readonly estimate: number
}

/** Which databases are compared with one another: libSQL is a SQLite. */
export type Engine = 'Postgres' | 'SQLite'

/** A peer, and how it is used. */
export interface PeerKind {
  readonly name: string
  readonly engine: Engine
  /** The calls that it is used by, and with what settings. */
  readonly use: string
  /** What it counts tokens with. */
  readonly counter: string
  /** Where it is documented so. */
  readonly source: string
  /** What its window fails in, if in anything, and why. */
  readonly why?: string
  readonly reach: Reach
  /** Another peer that returns the same by a quicker way: so this one is not judged. */
  readonly sameAs?: string
  open(place: Place): Promise<Peer>
}

/** The chat step of a peer whose loads and writes are calls of their own. */
export function loadThenStore(
  load: Peer['load'],
  store: (conversation: string, turn: PeerTurn, limit: number) => Promise<unknown>,
): Peer['chat'] {
  return async (conversation, limit, turn, answered) => {
    await load(conversation, limit)
    answered()
    await store(conversation, turn, limit)
  }
}
