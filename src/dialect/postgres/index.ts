import { RowLevelSecurityError } from '../../errors.ts'
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
import { toPage } from '../page.ts'
import type { Rewrite } from '../rewrite.ts'
import { connect, type Pools } from './connection.ts'
import { examine, namesStatements } from './examine.ts'
import { explain } from './failure.ts'
import { checkTransaction } from './host.ts'
import { isMigrated, migrate } from './migrate.ts'
import { Queries } from './queries.ts'
import type { PostgresSession } from './session.ts'
import { toValues } from './statements/rewrite.ts'
import { checkWall, makeWall } from './row-level-security/wall.ts'

/** Opens a pool of connections of our own. */
export async function openPostgres(url: string, options: ConnectionOptions): Promise<PostgresDialect> {
  const { rowLevelSecurity, preparedStatements } = options
  const pools = await connect(url, options)
  return new PostgresDialect(pools.current.session, { rowLevelSecurity, preparedStatements, pools })
}

/** What else a dialect is told. */
export interface PostgresDialectOptions {
  readonly rowLevelSecurity: boolean
  readonly inTransaction?: boolean
  /** On a pool of our own: whether statements are named. By default, once it is known that there is no pooler. */
  readonly preparedStatements?: boolean | undefined
  /** Where the session is one of our own: the pools that it comes from. */
  readonly pools?: Pools
}

/** The operations on Postgres: each is one statement, and so one transaction by itself. */
export class PostgresDialect implements Dialect<PostgresSession> {
  readonly inTransaction: boolean
  readonly explain = explain
  readonly #options: PostgresDialectOptions
  /** Until it is known better. */
  #isPooled = true
  #session: PostgresSession
  #queries: Queries

  constructor(session: PostgresSession, options: PostgresDialectOptions) {
    this.inTransaction = options.inTransaction ?? false
    this.#options = options
    this.#session = session
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

  async begin(key: ConversationKey, rule: CountingRule): Promise<void> {
    await this.#queries.run('begin', { ...key, ...rule })
  }

  async rewrite(key: ConversationKey, rewrite: Rewrite): Promise<boolean> {
    const [[done] = []] = await this.#queries.run('rewrite', toValues(key, rewrite))
    return done === true
  }

  async findOperation(key: ConversationKey, id: string): Promise<string | undefined> {
    const [[fingerprint] = []] = await this.#queries.run('operation', { ...key, operationId: id })
    return fingerprint as string | undefined
  }

  async replaceCounts(
    key: ConversationKey,
    seen: Head,
    { rule, turns, newestMessages }: Recounted,
  ): Promise<boolean> {
    const newest = turns.at(-1)
    const [[done] = []] = await this.#queries.run('replaceCounts', {
      ...key,
      ...rule,
      lastPosition: seen.lastPosition,
      turnCount: seen.turnCount,
      seenCreatedAt: seen.createdAt.toISOString(),
      seenNewest: newest?.position ?? 0,
      seenMessages: newestMessages,
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
    const { rowLevelSecurity: isWalled, pools, preparedStatements } = this.#options
    if (isWalled) await checkWall(this.#session)
    const isNamed = pools ? preparedStatements === true : namesStatements(this.#session)
    const { warnings, isPooled, plansAnew } = await examine(this.#session, { isWalled, isNamed })
    this.#isPooled = isPooled
    // What names its user is sent as one text, and what has no name is planned at each call: neither has a plan to keep.
    if (plansAnew && !isPooled && !isWalled && preparedStatements !== false)
      await pools?.keepPlans(() => this.#goOn())
    this.#goOn()
    return warnings
  }

  isMigrated(): Promise<boolean> {
    return isMigrated(this.#session)
  }

  async migrate({ rowLevelSecurity }: MigrationOptions): Promise<void> {
    if (this.#options.rowLevelSecurity) throw new RowLevelSecurityError(MADE_BY_OWNER)
    await migrate(this.#session)
    if (rowLevelSecurity) await makeWall(this.#session, rowLevelSecurity)
  }

  async close(): Promise<void> {
    await this.#options.pools?.close()
  }

  /** The network may be silent for a quarter of an hour before the system calls a connection dead. */
  renew(start: number): void {
    this.#options.pools?.renew(start)
    this.#goOn()
  }

  /** With what is known now, and the pool that is current. */
  #goOn(): void {
    this.#session = this.#options.pools?.current.session ?? this.#session
    this.#queries = this.#makeQueries()
  }

  #makeQueries(): Queries {
    const { rowLevelSecurity, pools, preparedStatements = !this.#isPooled } = this.#options
    const client = pools?.current.client
    return new Queries(this.#session, { client, named: preparedStatements, rowLevelSecurity })
  }

  within(transaction: PostgresSession): PostgresDialect {
    const { rowLevelSecurity } = this.#options
    return new PostgresDialect(checkTransaction(transaction), { rowLevelSecurity, inTransaction: true })
  }
}

const MADE_BY_OWNER =
  'A store with row-level security does not migrate: who makes the tables owns them, and can go round their policies. ' +
  'As their owner, run: backscroll migrate --row-level-security --role ROLE.'

/** Times come as milliseconds, which postgres.js gives as text. */
const toDate = (milliseconds: unknown): Date => new Date(Number(milliseconds))
