import { join } from 'node:path'
import { openStore } from '../../dist/index.js'
import { PieceEncoder } from '../../dist/tokens/pieces.js'
import { fileBytes } from './file-bytes.ts'
import { noteCalls } from './note-calls.ts'
import { loadThenStore, type Engine, type PeerKind, type PeerMessage, type Place } from './peer.ts'
import { CONNECTIONS, openPool, tableBytes } from './postgres-pool.ts'

const TABLES = ['backscroll_conversations', 'backscroll_turns']

/** backscroll on Postgres. */
export const backscrollPostgres = backscroll('backscroll, Postgres', 'Postgres', async ({ postgresUrl }) => {
  const pool = openPool(postgresUrl)
  return {
    url: postgresUrl,
    bytes: () => tableBytes(pool, TABLES),
    close: () => pool.end(),
  }
})

/** backscroll on SQLite. */
export const backscrollSqlite = backscroll('backscroll, SQLite', 'SQLite', async ({ folder }) => {
  const path = join(folder, 'backscroll.db')
  return {
    url: `sqlite:${path}`,
    bytes: async () => fileBytes(path),
    close: async () => {},
  }
})

/** Where the conversations are. */
interface Database {
  readonly url: string
  bytes(): Promise<number>
  close(): Promise<void>
}

function backscroll(name: string, engine: Engine, databaseOf: (place: Place) => Promise<Database>): PeerKind {
  return {
    name,
    engine,
    use: 'loadWindow, append; the defaults: o200k_base, text framing, each append waits for the disk',
    counter: 'its own encoder, o200k_base',
    source: 'README.md',
    reach: { load: 10_000, chat: 10_000, estimate: 10_000 },
    async open(place) {
      const database = await databaseOf(place)
      const store = await openStore(database.url, {
        maxConnections: CONNECTIONS,
        // That Postgres does not wait for its disk while conversations are filled.
        onWarning: () => {},
      })
      noteCalls(PieceEncoder.prototype, 'countWithNewline', place.tokenizer)
      const conversationOf = (conversationId: string) =>
        store.conversation({ userId: 'bench', conversationId })
      const load = async (conversation: string, maxTokens: number) => {
        const window = await conversationOf(conversation).loadWindow({ maxTokens })
        return window.messages as readonly PeerMessage[]
      }
      return {
        async fill(conversation, turns) {
          for (const turn of turns) await conversationOf(conversation).append(turn)
        },
        load,
        chat: loadThenStore(load, (conversation, turn) => conversationOf(conversation).append(turn)),
        bytes: database.bytes,
        async close() {
          await store.close()
          await database.close()
        },
      }
    },
  }
}
