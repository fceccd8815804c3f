import type { BetterSQLite3Database } from 'drizzle-orm/better-sqlite3'
import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  ConversationTokenBufferMemory,
  encodingForModel,
  type InvalidIdError,
  openStore,
  type PositionConflictError,
  textFraming,
  type AppendOptions,
  type BackscrollError,
  type Conversation,
  type ConversationStore,
  type ConversationSummary,
  type EncodingName,
  type LoadWindowOptions,
  type Message,
  type Metadata,
  type StoredTurn,
  type TextFraming,
  type Window,
} from '../src/index.ts'
import { postgresStore } from '../src/postgres.ts'
import { sqliteStore, type SyncConversation } from '../src/sqlite.ts'
import { typeCheck } from './support/type-check.ts'

/** What TypeScript says of this file, which the rest of it would not say when it runs: types are gone then. */
it('holds: everything below compiles, and each line that should not does not', async () => {
  expect(await typeCheck(import.meta.url)).toMatchObject({ stdout: '', exitCode: 0 })
})

// The functions below are compiled and not called.

describe('a caller in TypeScript', () => {
  it('is told what each method gives', () => {
    expectTypeOf(openStore).returns.resolves.toEqualTypeOf<ConversationStore>()
    expectTypeOf<ConversationStore['conversation']>().returns.toEqualTypeOf<Conversation>()
    expectTypeOf<Conversation['append']>().returns.resolves.toEqualTypeOf<StoredTurn>()
    expectTypeOf<Conversation['loadWindow']>().returns.resolves.toEqualTypeOf<Window>()
    expectTypeOf<Conversation['listTurns']>().returns.resolves.toEqualTypeOf<StoredTurn[]>()
    expectTypeOf<Conversation['rewind']>().returns.resolves.toEqualTypeOf<{ turns: number }>()
    expectTypeOf<ConversationStore['listConversations']>().returns.resolves.toEqualTypeOf<
      ConversationSummary[]
    >()
    expectTypeOf<StoredTurn['createdAt']>().toEqualTypeOf<Date>()
    expectTypeOf<StoredTurn['metadata']>().toEqualTypeOf<Metadata | null>()
    expectTypeOf<Window['messages']>().toEqualTypeOf<Message[]>()
    expectTypeOf(encodingForModel).returns.toEqualTypeOf<EncodingName>()
    expectTypeOf(textFraming).returns.toEqualTypeOf<TextFraming>()
  })

  it('may pass an option as undefined, as one does that passes on what it was given', () => {
    const passOn = (signal: AbortSignal | undefined, idempotencyKey: string | undefined) => {
      expectTypeOf({ signal, idempotencyKey }).toExtend<AppendOptions>()
      expectTypeOf({ maxTokens: 10, signal, retentionRatio: undefined }).toExtend<LoadWindowOptions>()
    }
    expectTypeOf(passOn).toBeFunction()
  })

  it('cannot leave out what is needed, nor name what there is not', () => {
    const wrong = async (store: ConversationStore, conversation: Conversation) => {
      // @ts-expect-error the conversation's id is missing
      store.conversation({ userId: 'ada' })
      // @ts-expect-error no such encoding
      store.conversation({ userId: 'ada', conversationId: 'one', encoding: 'o300k_base' })
      // @ts-expect-error no such framing
      store.conversation({ userId: 'ada', conversationId: 'one', framing: 'html' })
      // @ts-expect-error no limit
      await conversation.loadWindow({})
      // @ts-expect-error a limit is a number
      await conversation.loadWindow({ maxTokens: '10' })
      // @ts-expect-error where to?
      await conversation.rewind()
      // @ts-expect-error no such role
      await conversation.append([{ role: 'bot', content: 'hi' }])
      // @ts-expect-error only an assistant may say nothing
      await conversation.append([{ role: 'user', content: null }])
      // @ts-expect-error a tool's message answers a call
      await conversation.append([{ role: 'tool', content: 'x' }])
      // @ts-expect-error metadata is an object
      await conversation.append([{ role: 'user', content: 'hi' }], { metadata: 'note' })
      // @ts-expect-error what was stored cannot be changed in memory
      ;(await conversation.listTurns())[0]!.position = 2
      // @ts-expect-error the memory needs a store
      return new ConversationTokenBufferMemory({ userId: 'ada', conversationId: 'one' })
    }
    expectTypeOf(wrong).toBeFunction()
  })

  it('gets synchronous twins on the host’s own SQLite, and only there', () => {
    const doors = async (sqlite: BetterSQLite3Database, pg: PostgresJsDatabase) => {
      const id = { userId: 'ada', conversationId: 'one' }
      expectTypeOf(sqliteStore(sqlite).conversation(id)).toEqualTypeOf<SyncConversation>()
      expectTypeOf<SyncConversation['appendSync']>().returns.toEqualTypeOf<StoredTurn>()
      sqlite.transaction((tx) => void sqliteStore(sqlite).withTransaction(tx).conversation(id).appendSync([]))
      await pg.transaction(async (tx) => postgresStore(pg).withTransaction(tx).conversation(id).append([]))
      // @ts-expect-error one waits for Postgres
      postgresStore(pg).conversation(id).appendSync([])
      // @ts-expect-error the other database
      sqliteStore(pg)
      // @ts-expect-error the other database
      postgresStore(sqlite)
    }
    expectTypeOf(doors).toBeFunction()
  })

  it('may pass a database with a schema of its own', () => {
    const doors = (sqlite: BetterSQLite3Database<{ a: never }>, pg: PostgresJsDatabase<{ a: never }>) => {
      sqliteStore(sqlite)
      postgresStore(pg)
    }
    expectTypeOf(doors).toBeFunction()
  })

  it('can tell errors apart by class and by code', () => {
    expectTypeOf<BackscrollError['code']>().toEqualTypeOf<string>()
    expectTypeOf<InvalidIdError['code']>().toEqualTypeOf<'INVALID_ID'>()
    expectTypeOf<PositionConflictError['actualPosition']>().toEqualTypeOf<number>()
  })
})
