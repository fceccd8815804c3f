import { eq } from 'drizzle-orm'
import { BackscrollError, InvalidArgumentError } from '../../errors.ts'
import type {
  AppendOutcome,
  ConversationKey,
  ConversationRow,
  ConversationText,
  CountingRule,
  Forgotten,
  Head,
  ListPosition,
  MigrationOptions,
  NewTurn,
  Page,
  Recounted,
  StoreWarning,
  SyncDialect,
  TurnRange,
  TurnTexts,
  WindowBounds,
} from '../dialect.ts'
import { microseconds, toDate } from '../clock.ts'
import { listFrom, toConversationRow, toConversationText } from '../listing.ts'
import { toPage } from '../page.ts'
import type { Rewrite } from '../rewrite.ts'
import { connect, type Run, type SqliteConnection } from './connection.ts'
import { examine } from './examine.ts'
import { explain } from './failure.ts'
import { checkTransaction } from './host.ts'
import { isMigrated, migrate } from './migrate.ts'
import { Queries } from './queries.ts'
import type { SqliteSession } from './session.ts'
import { conversations, operations, turns } from './schema.ts'
import { append } from './writes/append.ts'
import { rewind } from './writes/rewind.ts'
import { rewrite } from './writes/rewrite.ts'

/** Opens a database file, or `:memory:`, of our own. */
export async function openSqlite(path: string): Promise<SqliteDialect> {
  try {
    const { session, ...own } = await connect(path)
    return new SqliteDialect(session, own)
  } catch (error) {
    throw error instanceof BackscrollError ? error : explain(error).error
  }
}

/**
 * The operations on SQLite. Each write is one `immediate` transaction, or a savepoint inside the host's: it takes the
 * write lock before it reads, so that no two writers can see the same last position.
 */
export class SqliteDialect implements SyncDialect<SqliteSession> {
  readonly synchronous = true
  readonly inTransaction: boolean
  readonly explain = explain
  readonly #session: SqliteSession
  readonly #queries: Queries
  readonly #read: Run
  readonly #write: Run
  readonly #atomically: Run
  readonly #useWriteAheadLog: () => void
  readonly #close: () => void

  constructor(
    session: SqliteSession,
    {
      read = run,
      write = run,
      writeAtomically = (work) => session.transaction(work, { behavior: 'immediate' }),
      useWriteAheadLog = () => {},
      close = () => {},
    }: Partial<SqliteConnection> = {},
    { inTransaction = false } = {},
  ) {
    this.#session = session
    this.#queries = new Queries(session)
    this.#read = read
    this.#write = write
    this.#atomically = writeAtomically
    this.#useWriteAheadLog = useWriteAheadLog
    this.#close = close
    this.inTransaction = inTransaction
  }

  append(turn: NewTurn): AppendOutcome {
    return this.#atomically(() => append(this.#queries, turn))
  }

  loadWindow(key: ConversationKey, bounds: WindowBounds): Page {
    const rows = this.#read(() => this.#queries.window().values({ ...key, ...bounds }))
    return toPage(rows as unknown[][], toDate)
  }

  listTurns(key: ConversationKey, { after = 0, before, limit }: TurnRange): Page {
    const page = before === undefined ? this.#queries.oldestPage : this.#queries.newestPage
    const range = { after, before: before ?? Number.MAX_SAFE_INTEGER, limit }
    const rows = this.#read(() => page().values({ ...key, ...range }))
    return toPage(rows as unknown[][], toDate)
  }

  findTurn(key: ConversationKey, idempotencyKey: string): Page {
    const rows = this.#read(() => this.#queries.keyPage().values({ ...key, idempotencyKey }))
    return toPage(rows as unknown[][], toDate)
  }

  rewind(key: ConversationKey, to: number): number {
    return this.#atomically(() => rewind(this.#queries, key, to))
  }

  begin(key: ConversationKey, rule: CountingRule): void {
    this.#write(() => this.#queries.begin().run({ ...key, ...rule, now: microseconds() }))
  }

  rewrite(key: ConversationKey, given: Rewrite): boolean {
    return this.#atomically(() => rewrite(this.#queries, key, given))
  }

  findOperation(key: ConversationKey, id: string): string | undefined {
    return this.#read(() => this.#queries.operation().get({ ...key, operationId: id }))?.fingerprint
  }

  replaceCounts(
    key: ConversationKey,
    seen: Head,
    { rule, turns: counts, newestMessages }: Recounted,
  ): boolean {
    return this.#atomically(() => {
      const head = this.#queries.head().get({ ...key })
      const isUnchanged =
        head?.lastPosition === seen.lastPosition &&
        head.turnCount === seen.turnCount &&
        head.createdAt.getTime() === seen.createdAt.getTime() &&
        this.#queries.turnUpTo().get({ ...key, position: head.newestPosition })?.messages ===
          (newestMessages ?? undefined)
      if (!head || !isUnchanged) return false
      for (const turn of counts) this.#queries.setCounts().run({ ...key, ...turn })
      const newest = counts.at(-1)
      this.#queries.putHead().run({
        ...key,
        ...head,
        ...rule,
        newestPosition: newest?.position ?? 0,
        turnCount: counts.length,
        totalTokens: newest?.cumulativeTokens ?? 0,
        newestSaving: newest ? newest.tokenCount - newest.closingTokenCount : 0,
        now: head.updatedAt,
      })
      return true
    })
  }

  setMetadata(key: ConversationKey, rule: CountingRule, metadata: string | null): void {
    this.#write(() => this.#queries.setMetadata().run({ ...key, ...rule, metadata, now: microseconds() }))
  }

  listConversations(userId: string, before: ListPosition | undefined, limit: number): ConversationRow[] {
    const place = listFrom(before)
    const rows = this.#read(() => this.#queries.listing().values({ userId, ...place, limit }))
    return (rows as unknown[][]).map((row) => toConversationRow(row, toDate))
  }

  forgetUser(userId: string): Forgotten {
    return this.#atomically(() => {
      // The foreign key would drop the turns as well, but a host may run with foreign keys off.
      this.#session.delete(operations).where(eq(operations.userId, userId)).run()
      const erasedTurns = this.#session.delete(turns).where(eq(turns.userId, userId)).run()
      const erased = this.#session.delete(conversations).where(eq(conversations.userId, userId)).run()
      return { conversations: erased.changes, turns: erasedTurns.changes }
    })
  }

  walkConversations(userId: string, after: string, limit: number): ConversationText[] {
    const rows = this.#read(() => this.#queries.walk().values({ userId, after, limit }))
    return (rows as unknown[][]).map(toConversationText)
  }

  replaceMetadata(key: ConversationKey, seen: string, metadata: string): boolean {
    const replace = () => this.#queries.replaceMetadata().run({ ...key, seen, metadata })
    return this.#write(replace).changes === 1
  }

  replaceTexts(key: ConversationKey, texts: readonly TurnTexts[]): number {
    return this.#atomically(() => {
      let replaced = 0
      for (const turn of texts) replaced += this.#queries.replaceTexts().run({ ...key, ...turn }).changes
      return replaced
    })
  }

  isMigrated(): boolean {
    return this.#read(() => isMigrated(this.#session))
  }

  examine(): StoreWarning[] {
    return examine(this.#session)
  }

  migrate({ rowLevelSecurity }: MigrationOptions): void {
    if (rowLevelSecurity) throw new InvalidArgumentError('SQLite has no row-level security; Postgres has.')
    // Here and not when it is opened: a file that is none of ours is left as it is, and so is a host's own.
    this.#write(() => {
      this.#useWriteAheadLog()
      migrate(this.#session)
    })
  }

  close(): void {
    this.#close()
  }

  within(transaction: SqliteSession): SqliteDialect {
    return new SqliteDialect(checkTransaction(transaction), {}, { inTransaction: true })
  }
}

/** On a host's connection, which is the host's to look after. */
const run: Run = (work) => work()
