import { and, desc, eq, getTableColumns, gt, lte, sql, type SQL } from 'drizzle-orm'
import { bigint, text } from '../bind.ts'
import { listing, LISTING_FIELDS, walk, WALK_FIELDS } from '../listing.ts'
import { keyPage, newestPage, oldestPage, operation, PAGE_FIELDS } from '../page.ts'
import { windowPage } from '../window.ts'
import { conversations, operations, turns } from './schema.ts'
import { prepareReplaceMetadata, prepareReplaceTexts } from './texts.ts'
import type { SqliteSession } from './session.ts'

const p = sql.placeholder

const thisConversation = and(
  eq(conversations.userId, text('userId')),
  eq(conversations.id, text('conversationId')),
)
const itsTurns = and(eq(turns.userId, text('userId')), eq(turns.conversationId, text('conversationId')))
const itsOperations = and(
  eq(operations.userId, text('userId')),
  eq(operations.conversationId, text('conversationId')),
)

/** What every insert of a conversation's row binds. */
const newRow = {
  userId: p('userId'),
  id: p('conversationId'),
  encoding: p('encoding'),
  framing: p('framing'),
  createdAt: sql`${p('now')}`,
  updatedAt: sql`${p('now')}`,
}

/** A row without turns. */
const emptyRow = {
  ...newRow,
  lastPosition: 0,
  newestPosition: 0,
  turnCount: 0,
  totalTokens: 0,
  newestSaving: 0,
}

/**
 * The statements of the hot paths, each prepared once: on first use, since before the migration there are no tables.
 */
export class Queries {
  readonly #session: SqliteSession

  constructor(session: SqliteSession) {
    this.#session = session
  }

  readonly head = lazily(() =>
    this.#session
      // To the microsecond, which a Date does not hold.
      .select({ ...getTableColumns(conversations), updatedAt: sql<number>`updated_at` })
      .from(conversations)
      .where(thisConversation)
      .prepare(),
  )

  /** Writes a conversation's row as given; `createdAt` and `metadata` are kept where the row is there already. */
  readonly putHead = lazily(() =>
    this.#session
      .insert(conversations)
      .values({
        ...newRow,
        lastPosition: p('lastPosition'),
        newestPosition: p('newestPosition'),
        turnCount: p('turnCount'),
        totalTokens: p('totalTokens'),
        newestSaving: p('newestSaving'),
      })
      .onConflictDoUpdate({
        target: [conversations.userId, conversations.id],
        set: excluded(
          'encoding',
          'framing',
          'lastPosition',
          'newestPosition',
          'turnCount',
          'totalTokens',
          'newestSaving',
          'updatedAt',
        ),
      })
      .prepare(),
  )

  readonly insertTurn = lazily(() =>
    this.#session
      .insert(turns)
      .values({
        userId: p('userId'),
        conversationId: p('conversationId'),
        position: p('position'),
        tokenCount: p('tokenCount'),
        closingTokenCount: p('closingTokenCount'),
        cumulativeTokens: p('cumulativeTokens'),
        messages: p('messages'),
        idempotencyKey: p('idempotencyKey'),
        createdAt: sql`${p('now')}`,
        metadata: p('metadata'),
      })
      .prepare(),
  )

  readonly turnByKey = lazily(() =>
    this.#session
      .select(turnFields)
      .from(turns)
      .where(and(itsTurns, eq(turns.idempotencyKey, text('idempotencyKey'))))
      .prepare(),
  )

  /** The newest turn at or below `position`. */
  readonly turnUpTo = lazily(() =>
    this.#session
      .select({ ...turnFields, closingTokenCount: turns.closingTokenCount })
      .from(turns)
      .where(and(itsTurns, lte(turns.position, bigint('position'))))
      .orderBy(desc(turns.position))
      .limit(1)
      .prepare(),
  )

  readonly dropTurnsAfter = lazily(() =>
    this.#session
      .delete(turns)
      .where(and(itsTurns, gt(turns.position, bigint('position'))))
      .prepare(),
  )

  readonly setContent = lazily(() =>
    this.#session
      .update(turns)
      .set({
        messages: sql`${p('messages')}`,
        tokenCount: sql`${p('tokenCount')}`,
        closingTokenCount: sql`${p('closingTokenCount')}`,
        cumulativeTokens: sql`${p('cumulativeTokens')}`,
      })
      .where(and(itsTurns, eq(turns.position, bigint('position'))))
      .prepare(),
  )

  readonly insertOperation = lazily(() =>
    this.#session
      .insert(operations)
      .values({
        userId: p('userId'),
        conversationId: p('conversationId'),
        id: p('id'),
        position: p('position'),
        fingerprint: p('fingerprint'),
        createdAt: sql`${p('now')}`,
      })
      .prepare(),
  )

  readonly forgetOperationsAfter = lazily(() =>
    this.#session
      .delete(operations)
      .where(and(itsOperations, gt(operations.position, bigint('position'))))
      .prepare(),
  )

  readonly setCounts = lazily(() =>
    this.#session
      .update(turns)
      .set({
        tokenCount: sql`${p('tokenCount')}`,
        closingTokenCount: sql`${p('closingTokenCount')}`,
        cumulativeTokens: sql`${p('cumulativeTokens')}`,
      })
      .where(and(itsTurns, eq(turns.position, bigint('position'))))
      .prepare(),
  )

  /** Makes the conversation's row where there is none yet. */
  readonly begin = lazily(() =>
    this.#session.insert(conversations).values(emptyRow).onConflictDoNothing().prepare(),
  )

  /** The same, and its metadata either way. */
  readonly setMetadata = lazily(() =>
    this.#session
      .insert(conversations)
      .values({ ...emptyRow, metadata: p('metadata') })
      .onConflictDoUpdate({ target: [conversations.userId, conversations.id], set: excluded('metadata') })
      .prepare(),
  )

  readonly listing = lazily(() =>
    this.#session
      .select(LISTING_FIELDS)
      .from(listing({ microseconds: sql`updated_at`, before: sql`${p('before')}` }))
      .prepare(),
  )
  readonly replaceTexts = lazily(() => prepareReplaceTexts(this.#session))
  readonly replaceMetadata = lazily(() => prepareReplaceMetadata(this.#session))
  readonly walk = lazily(() => this.#session.select(WALK_FIELDS).from(walk).prepare())
  readonly window = lazily(() => this.#session.select(PAGE_FIELDS).from(windowPage).prepare())
  readonly newestPage = lazily(() => this.#session.select(PAGE_FIELDS).from(newestPage).prepare())
  readonly oldestPage = lazily(() => this.#session.select(PAGE_FIELDS).from(oldestPage).prepare())
  readonly operation = lazily(() =>
    this.#session
      .select({ fingerprint: sql<string>`fingerprint` })
      .from(operation)
      .prepare(),
  )
  readonly keyPage = lazily(() => this.#session.select(PAGE_FIELDS).from(keyPage).prepare())
}

const turnFields = {
  position: turns.position,
  tokenCount: turns.tokenCount,
  cumulativeTokens: turns.cumulativeTokens,
  messages: turns.messages,
  createdAt: turns.createdAt,
  metadata: turns.metadata,
}

type ConversationColumn = keyof typeof conversations.$inferSelect

/** For `on conflict do update`: these columns take the values of the row that could not be inserted. */
function excluded(...columns: ConversationColumn[]): Record<string, SQL> {
  return Object.fromEntries(
    columns.map((column) => [column, sql.raw(`excluded.${conversations[column].name}`)]),
  )
}

/** The value of `make`, made at the first call. */
function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}
