import type { PeerKind } from './peer.ts'

// Before any peer is loaded, and so before any looks: nothing of a run is told to a service.
process.env['LANGSMITH_TRACING'] = 'false'
process.env['LANGCHAIN_TRACING_V2'] = 'false'
process.env['MASTRA_TELEMETRY_DISABLED'] = '1'

/** What is compared, each loaded only when it is asked for: a process that measures the memory of one holds no other. */
export const PEERS = {
  backscrollPostgres: async () => (await import('./backscroll.ts')).backscrollPostgres,
  tokenBuffer: async () => (await import('./token-buffer.ts')).tokenBuffer,
  trimMessages: async () => (await import('./trim-messages.ts')).trimMessagesAsDocumented,
  trimMessagesRemembering: async () => (await import('./trim-messages.ts')).trimMessagesRemembering,
  langGraph: async () => (await import('./langgraph.ts')).langGraph,
  mastraLimiterPostgres: async () => (await import('./mastra-limiter.ts')).mastraLimiter('Postgres'),
  mastraHistoryPostgres: async () => (await import('./mastra-history.ts')).mastraHistory('Postgres'),
  backscrollSqlite: async () => (await import('./backscroll.ts')).backscrollSqlite,
  mastraLimiterLibSql: async () => (await import('./mastra-limiter.ts')).mastraLimiter('libSQL'),
  mastraHistoryLibSql: async () => (await import('./mastra-history.ts')).mastraHistory('libSQL'),
} satisfies Record<string, () => Promise<PeerKind>>

/** A peer, by a short name. */
export type PeerName = keyof typeof PEERS

/** Every peer. */
export const PEER_NAMES = Object.keys(PEERS) as PeerName[]

/** Every peer, loaded. */
export type Kinds = Readonly<Record<PeerName, PeerKind>>

/** Loads every peer. */
export async function loadKinds(): Promise<Kinds> {
  const kinds: [PeerName, PeerKind][] = []
  for (const name of PEER_NAMES) kinds.push([name, await PEERS[name]()])
  return Object.fromEntries(kinds) as Record<PeerName, PeerKind>
}
