import { fillPlaceholders, sql, WithSubquery } from 'drizzle-orm'
import { bigint } from '../bind.ts'
import { listing, LISTING_FIELDS, walk, WALK_FIELDS } from '../listing.ts'
import { keyPage, newestPage, oldestPage, operation, PAGE_FIELDS } from '../page.ts'
import { windowPage } from '../window.ts'
import type { PostgresClient } from './connection.ts'
import { runAsUser } from './row-level-security/as-user.ts'
import { append } from './statements/append.ts'
import { begin } from './statements/begin.ts'
import { forgetUser } from './statements/forget-user.ts'
import { replaceCounts } from './statements/replace-counts.ts'
import { rewind } from './statements/rewind.ts'
import { rewrite } from './statements/rewrite.ts'
import { withoutHoles } from './statements/rows.ts'
import { setMetadata } from './statements/set-metadata.ts'
import type { Statement } from './statements/statement.ts'
import { TEXT_STATEMENTS } from './texts.ts'
import type { PostgresSession } from './session.ts'

const updatedAt = {
  microseconds: sql`cast(extract(epoch from updated_at) * 1000000 as bigint)`,
  before: sql`timestamptz 'epoch' + ${bigint('before')} * interval '1 microsecond'`,
}

/** When a row was made, in milliseconds: as text, a time comes in whatever form the session's DateStyle asks for. */
const createdAt = sql`cast(floor(extract(epoch from created_at) * 1000) as bigint) as created_at`
const pageFields = { ...PAGE_FIELDS, createdAt }

const STATEMENTS = {
  append: { ...append, fields: { ...append.fields, createdAt } },
  begin,
  rewrite,
  operation: { fields: { fingerprint: sql`fingerprint` }, from: operation },
  rewind,
  replaceCounts,
  setMetadata,
  forgetUser,
  ...TEXT_STATEMENTS,
  walk: { fields: WALK_FIELDS, from: walk },
  listing: { fields: { ...LISTING_FIELDS, createdAt }, from: listing(updatedAt) },
  window: { fields: pageFields, from: windowPage },
  oldestPage: { fields: pageFields, from: oldestPage },
  newestPage: { fields: pageFields, from: newestPage },
  keyPage: { fields: pageFields, from: keyPage },
} satisfies Record<string, Statement>

type StatementName = keyof typeof STATEMENTS
type Values = Record<string, unknown> & { readonly userId: string }
type Run = (values: Values) => Promise<readonly (readonly unknown[])[]>

/** How statements get to the database. */
export interface Running {
  /** The session's own client, when it is ours: drizzle then builds the statements, and the client runs them. */
  readonly client?: PostgresClient | undefined
  /** Whether the client has the server keep each statement under a name. */
  readonly named: boolean
  /** Whether each statement names its user to the database. */
  readonly rowLevelSecurity: boolean
}

/** Runs the statements on one session. Each is built once, at its first use. */
export class Queries {
  readonly #session: PostgresSession
  readonly #running: Running
  readonly #built = new Map<StatementName, Run>()

  constructor(session: PostgresSession, running: Running) {
    this.#session = session
    this.#running = running
  }

  /** The rows, each an array of values in the order of the statement's fields, as the driver gave them. */
  async run<T extends { readonly userId: string }>(
    name: StatementName,
    values: T,
  ): Promise<readonly (readonly unknown[])[]> {
    let run = this.#built.get(name)
    if (!run) this.#built.set(name, (run = build(name, this.#session, this.#running)))
    return withoutHoles(await run({ ...values }))
  }
}

function build(
  name: StatementName,
  session: PostgresSession,
  { client, named, rowLevelSecurity }: Running,
): Run {
  const { steps = {}, fields, from }: Statement = STATEMENTS[name]
  const ctes = Object.entries(steps).map(([alias, step]) => new WithSubquery(step, {}, alias, true))
  const query = session
    .with(...ctes)
    .select(fields)
    .from(from)
    // A host's drizzle may cache every select: a window must never come out of a cache.
    .$withCache(false)
  const { sql: statement, params } = query.toSQL()
  if (rowLevelSecurity) {
    return (values) => runAsUser(session, values.userId, statement, fillPlaceholders(params, values))
  }
  if (client) {
    // Drizzle's mapping of rows costs as much again as the whole call when there are many; it has nothing to map here.
    const prepared = { prepare: named }
    return (values) =>
      client.unsafe(statement, fillPlaceholders(params, values) as never[], prepared).values()
  }
  // A host's database goes all the way through drizzle, so that its logger and tracing see every statement. Without a
  // name: node-postgres would have the server keep each under it, and a pooler in between may mix them up.
  const prepared = query.prepare('')
  return async (values) => (await prepared.execute(values)).map((row) => Object.values(row))
}
