import { InvalidArgumentError, MissingDriverError } from '../../errors.ts'
import { inTime } from '../../in-time.ts'
import type { ConnectionOptions } from '../dialect.ts'
import type { PostgresSession } from './session.ts'

/** What of postgres.js runs a statement that is already built. */
export interface PostgresClient {
  unsafe(
    text: string,
    parameters: never[],
    options: { prepare: boolean },
  ): PromiseLike<unknown> & { values(): Promise<readonly (readonly unknown[])[]> }
}

/** Seconds that a connection may take to be made. */
const CONNECT_TIMEOUT_S = 5
/**
 * Seconds that closing waits for connections to be gone; what was under way has been waited for before. Short, because
 * the driver waits for a connection whose server ended it as if that were still to answer.
 */
const CLOSE_TIMEOUT_S = 0.5

/**
 * The most pools that were left and still wait for an answer. The server does not notice that who waits for a lock has
 * gone: a new pool for each call that a lock held up would take all of its connections.
 */
const MAX_LEFT = 2

/** One plan for each statement, whatever values come: planning each call anew takes longer than a short load itself. */
const KEPT_PLANS: ServerSettings = { plan_cache_mode: 'force_generic_plan' }

/** How long the server may take to grant that, beyond which it is done without. */
const GRANTING_MS = 1000

/** What the server is asked to set for each connection of a pool, by name. */
type ServerSettings = Readonly<Record<string, string>>

/** A pool of our own, and how to close it. */
interface PostgresConnection {
  readonly session: PostgresSession
  readonly client: PostgresClient
  close(): Promise<void>
  /** Ends when the statements under way have: those of long calls are well, whatever held up another. */
  leave(): Promise<void>
}

/**
 * Opens a pool of connections of our own; the first of them is made when the first statement runs.
 *
 * @throws {MissingDriverError} when the package postgres cannot be loaded.
 */
export async function connect(url: string, options: ConnectionOptions): Promise<Pools> {
  const driver = await loadDriver()
  return new Pools((settings) => open(driver, url, options, settings))
}

/** The pool of our own that statements are run on, and those that were left for it. */
export class Pools {
  readonly #open: (settings: ServerSettings) => PostgresConnection
  #settings: ServerSettings = {}
  #hasAsked = false
  #current: PostgresConnection
  readonly #left = new Set<PostgresConnection>()
  /** When the current one was opened, by `performance.now()`. */
  #openedAt = performance.now()

  constructor(openPool: (settings: ServerSettings) => PostgresConnection) {
    this.#open = openPool
    this.#current = openPool(this.#settings)
  }

  get current(): PostgresConnection {
    return this.#current
  }

  /** Goes on with another pool, unless the current one was opened after `start`. */
  renew(start: number): void {
    if (this.#openedAt <= start && this.#left.size < MAX_LEFT) this.#goOnWith(this.#open(this.#settings))
  }

  /**
   * Goes on with connections for which the server keeps its plans, where it grants them that. Not to be asked of a
   * pooler, which would give such connections to others. `goOn` is told in the same moment: what ran on the pool that is left
   * a moment later would find it ended.
   */
  async keepPlans(goOn: () => void): Promise<void> {
    if (this.#hasAsked) return
    this.#hasAsked = true
    const pool = this.#open(KEPT_PLANS)
    this.#left.add(pool)
    try {
      const answer = pool.client.unsafe('select 1', [], { prepare: false })
      await inTime(answer, performance.now() + GRANTING_MS, undefined)
      this.#settings = KEPT_PLANS
      this.#goOnWith(pool)
      goOn()
    } catch {
      // Not waited for: the first call has waited long enough.
      void pool.close()
    }
    this.#left.delete(pool)
  }

  async close(): Promise<void> {
    await Promise.all([this.#current, ...this.#left].map((pool) => pool.close()))
  }

  #goOnWith(pool: PostgresConnection): void {
    this.#leave(this.#current)
    this.#current = pool
    this.#openedAt = performance.now()
  }

  #leave(pool: PostgresConnection): void {
    this.#left.add(pool)
    void pool.leave().finally(() => this.#left.delete(pool))
  }
}

function open(
  { postgres, drizzle }: Awaited<ReturnType<typeof loadDriver>>,
  url: string,
  { maxConnections, preparedStatements }: ConnectionOptions,
  settings: ServerSettings,
): PostgresConnection {
  let client: ReturnType<typeof postgres>
  try {
    client = postgres(url, {
      max: maxConnections,
      // Whether a statement is kept under a name is said with each, once it is known whether there is a pooler.
      prepare: preparedStatements ?? true,
      // A connection that dies during the driver's own query for types ends the process (postgres.js #1192).
      fetch_types: false,
      connection: settings,
      connect_timeout: CONNECT_TIMEOUT_S,
      // The store paces its tries itself. The driver's own pauses, up to 20 s, would outlast a call's deadline, and the call
      // could not say why there is no connection.
      backoff: () => 0,
      // Notices would be printed to the console.
      onnotice: () => {},
    })
  } catch {
    // No cause: the URL parser's message holds the URL, and so the password.
    throw new InvalidArgumentError(
      'The database URL cannot be read. Expected postgres://user:password@host:port/database.',
    )
  }
  const running = keepRunning(client)
  const close = () => client.end({ timeout: CLOSE_TIMEOUT_S })
  return {
    session: drizzle({ client }),
    client,
    close,
    async leave() {
      // Ended while statements wait for a connection, the driver makes new ones for them, and never ends these.
      while (running.size > 0) await Promise.allSettled(running)
      await close()
    },
  }
}

/** The statements of a client that have got no answer yet, drizzle's included. */
function keepRunning(client: PostgresClient): ReadonlySet<PromiseLike<unknown>> {
  const running = new Set<PromiseLike<unknown>>()
  const unsafe = client.unsafe.bind(client)
  client.unsafe = (...statement) => {
    const query = unsafe(...statement)
    const forget = () => void running.delete(query)
    running.add(query)
    query.then(forget, forget)
    return query
  }
  return running
}

async function loadDriver() {
  try {
    const { default: postgres } = await import('postgres')
    const { drizzle } = await import('drizzle-orm/postgres-js')
    return { postgres, drizzle }
  } catch (error) {
    throw new MissingDriverError(
      'Postgres needs the package postgres, version 3.4 or later: npm install postgres',
      {
        cause: error,
      },
    )
  }
}
