import { PgDatabase, PgTransaction } from 'drizzle-orm/pg-core'
import { InvalidArgumentError, RowLevelSecurityError } from '../../errors.ts'
import { kindOf } from '../../redact.ts'
import type {
  AppendOutcome,
  ConnectionOptions,
  ConversationKey,
  ConversationRow,
  ConversationText,
  CountingRule,
  Dialect,
  Forgotten,
  Head,
  ListPosition,
  MigrationOptions,
  NewTurn,
  Page,
  Recounted,
  StoreWarning,
  TurnRange,
  TurnTexts,
  WindowBounds,
} from '../dialect.ts'
import { listFrom, toConversationRow, toConversationText } from '../listing.ts'
import { isKind } from '../kind.ts'
import { toPage } from '../page.ts'
import { connect, type PostgresConnection } from './connection.ts'
import { examine, namesStatements } from './examine.ts'
import { explain } from './failure.ts'
import { isMigrated, migrate } from './migrate.ts'
import { Queries, type PostgresSession } from './queries.ts'
import { checkWall, makeWall } from './row-level-security/wall.ts'

/** Opens a pool of connections of our own. */
export async function openPostgres(url: string, options: ConnectionOptions): Promise<PostgresDialect> {
  const open = await connect(url, options)
  const { rowLevelSecurity, preparedStatements } = options
  return new PostgresDialect(open(), { rowLevelSecurity, preparedStatements, reopen: open })
}

/**
 * The most pools that were left and still wait for an answer. The server does not notice that who waits for a lock has
 * gone: a new pool for each call that a lock held up would take all of its connections.
 */
const MAX_LEFT = 2

/** A host's session, or a pool of our own. */
type Connection = Pick<PostgresConnection, 'session'> & Partial<PostgresConnection>

/** What else a dialect is told. */
export interface PostgresDialectOptions {
  readonly rowLevelSecurity: boolean
  readonly inTransaction?: boolean
  /** On a pool of our own: whether statements are named. By default, once it is known that there is no pooler. */
  readonly preparedStatements?: boolean | undefined
  /** On a pool of our own: makes another. */
  readonly reopen?: () => PostgresConnection
}

/** The operations on Postgres: each is one statement, and so one transaction by itself. */
export class PostgresDialect implements Dialect<PostgresSession> {
  readonly inTransaction: boolean
  readonly explain = explain
  readonly #options: PostgresDialectOptions
  /** Until it is known better. */
  #isPooled = true
  #connection: Connection
  #queries: Queries
  readonly #left = new Set<PostgresConnection>()
  /** When the connection was opened, by `performance.now()`. */
  #openedAt = performance.now()

  constructor(connection: Connection, options: PostgresDialectOptions) {
    if (!isKind(connection.session, PgDatabase)) {
      throw new InvalidArgumentError(
        `postgresStore takes a drizzle database; got ${kindOf(connection.session)}.`,
      )
    }
    this.inTransaction = options.inTransaction ?? false
    this.#options = options
    this.#connection = connection
    this.#queries = this.#makeQueries()
  }

  async append(turn: NewTurn): Promise<AppendOutcome> {
    const [row] = await this.#queries.run('append', turn)
    if (row) {
      const [position, cumulativeTokens, createdAt] = row
      const place = { position: Number(position), cumulativeTokens: Number(cumulativeTokens) }
      return { kind: 'appended', rule: turn, turn: { ...turn, ...place, createdAt: toDate(createdAt) } }
    }
    const { head, turns } = await this.findTurn(turn, turn.idempotencyKey)
    const [replayed] = turns
    return head && replayed ? { kind: 'replayed', rule: head, turn: replayed } : { kind: 'refused', head }
  }

  async loadWindow(key: ConversationKey, bounds: WindowBounds): Promise<Page> {
    return toPage(await this.#queries.run('window', { ...key, ...bounds }), toDate)
  }

  async listTurns(key: ConversationKey, { after = 0, before, limit }: TurnRange): Promise<Page> {
    const name = before === undefined ? 'oldestPage' : 'newestPage'
    const range = { after, before: before ?? Number.MAX_SAFE_INTEGER, limit }
    return toPage(await this.#queries.run(name, { ...key, ...range }), toDate)
  }

  async findTurn(key: ConversationKey, idempotencyKey: string | null): Promise<Page> {
    return toPage(await this.#queries.run('keyPage', { ...key, idempotencyKey }), toDate)
  }

  async rewind(key: ConversationKey, to: number): Promise<number | undefined> {
    const [[dropped, done] = []] = await this.#queries.run('rewind', { ...key, to })
    return done ? Number(dropped) : undefined
  }

  async replaceCounts(key: ConversationKey, seen: Head, { rule, turns }: Recounted): Promise<boolean> {
    const newest = turns.at(-1)
    const [[done] = []] = await this.#queries.run('replaceCounts', {
      ...key,
      ...rule,
      lastPosition: seen.lastPosition,
      turnCount: seen.turnCount,
      createdAt: seen.createdAt.toISOString(),
      newestPosition: newest?.position ?? 0,
      turns: turns.length,
      totalTokens: newest?.cumulativeTokens ?? 0,
      newestSaving: newest ? newest.tokenCount - newest.closingTokenCount : 0,
      counts: JSON.stringify(
        turns.map((turn) => ({
          position: turn.position,
          token_count: turn.tokenCount,
          closing_token_count: turn.closingTokenCount,
          cumulative_tokens: turn.cumulativeTokens,
        })),
      ),
    })
    return done === true
  }

  async setMetadata(key: ConversationKey, rule: CountingRule, metadata: string | null): Promise<void> {
    await this.#queries.run('setMetadata', { ...key, ...rule, metadata })
  }

  async listConversations(
    userId: string,
    before: ListPosition | undefined,
    limit: number,
  ): Promise<ConversationRow[]> {
    const rows = await this.#queries.run('listing', { userId, ...listFrom(before), limit })
    return rows.map((row) => toConversationRow(row, toDate))
  }

  async forgetUser(userId: string): Promise<Forgotten> {
    const [[erased, turns] = []] = await this.#queries.run('forgetUser', { userId })
    return { conversations: Number(erased), turns: Number(turns) }
  }

  async walkConversations(userId: string, after: string, limit: number): Promise<ConversationText[]> {
    return (await this.#queries.run('walk', { userId, after, limit })).map(toConversationText)
  }

  async replaceMetadata(key: ConversationKey, seen: string, metadata: string): Promise<boolean> {
    const [[done] = []] = await this.#queries.run('replaceMetadata', { ...key, seen, metadata })
    return done === true
  }

  async replaceTexts(key: ConversationKey, turns: readonly TurnTexts[]): Promise<number> {
    const texts = turns.map(({ position, seenMessages, seenMetadata, messages, metadata }) => {
      return { position, seen_messages: seenMessages, seen_metadata: seenMetadata, messages, metadata }
    })
    const [[replaced] = []] = await this.#queries.run('replaceTexts', {
      ...key,
      first: turns[0]?.position,
      last: turns.at(-1)?.position,
      texts: JSON.stringify(texts),
    })
    return Number(replaced)
  }

  async examine(): Promise<StoreWarning[]> {
    const { session } = this.#connection
    const { rowLevelSecurity: isWalled, reopen, preparedStatements } = this.#options
    if (isWalled) await checkWall(session)
    const isNamed = reopen ? preparedStatements === true : namesStatements(session)
    const { warnings, isPooled } = await examine(session, { isWalled, isNamed })
    this.#isPooled = isPooled
    this.#queries = this.#makeQueries()
    return warnings
  }

  isMigrated(): Promise<boolean> {
    return isMigrated(this.#connection.session)
  }

  async migrate({ rowLevelSecurity }: MigrationOptions): Promise<void> {
    if (this.#options.rowLevelSecurity) throw new RowLevelSecurityError(MADE_BY_OWNER)
    const { session } = this.#connection
    await migrate(session)
    if (rowLevelSecurity) await makeWall(session, rowLevelSecurity)
  }

  async close(): Promise<void> {
    await Promise.all([this.#connection, ...this.#left].map((connection) => connection.close?.()))
  }

  /** The network may be silent for a quarter of an hour before the system calls a connection dead. */
  renew(start: number): void {
    const { reopen } = this.#options
    if (!reopen || this.#openedAt > start || this.#left.size === MAX_LEFT) return
    this.#leave(this.#connection as PostgresConnection)
    this.#connection = reopen()
    this.#openedAt = performance.now()
    this.#queries = this.#makeQueries()
  }

  #makeQueries(): Queries {
    const { session, client } = this.#connection
    const { rowLevelSecurity, preparedStatements = !this.#isPooled } = this.#options
    return new Queries(session, { client, named: preparedStatements, rowLevelSecurity })
  }

  #leave(connection: PostgresConnection): void {
    this.#left.add(connection)
    void connection.leave().finally(() => this.#left.delete(connection))
  }

  within(transaction: PostgresSession): PostgresDialect {
    if (!isKind(transaction, PgTransaction)) {
      throw new InvalidArgumentError(
        'withTransaction takes the transaction that `db.transaction(async (tx) => …)` gives.',
      )
    }
    const { rowLevelSecurity } = this.#options
    return new PostgresDialect({ session: transaction }, { rowLevelSecurity, inTransaction: true })
  }
}

const MADE_BY_OWNER =
  'A store with row-level security does not migrate: who makes the tables owns them, and can go round their policies. ' +
  'As their owner, run: backscroll migrate --row-level-security --role ROLE.'

/** Times come as milliseconds, which postgres.js gives as text. */
const toDate = (milliseconds: unknown): Date => new Date(Number(milliseconds))
