import { InvalidArgumentError, MissingDriverError } from '../../errors.ts'
import type { ConnectionOptions } from '../dialect.ts'
import type { PostgresSession } from './queries.ts'

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

/** A pool of our own, and how to close it. */
export interface PostgresConnection {
  readonly session: PostgresSession
  readonly client: PostgresClient
  close(): Promise<void>
  /** Ends when the statements under way have: those of long calls are well, whatever held up another. */
  leave(): Promise<void>
}

/**
 * Gives what opens a pool of connections of our own; the first of them is made when the first statement runs.
 *
 * @throws {MissingDriverError} when the package postgres cannot be loaded.
 */
export async function connect(url: string, options: ConnectionOptions): Promise<() => PostgresConnection> {
  const driver = await loadDriver()
  return () => open(driver, url, options)
}

function open(
  { postgres, drizzle }: Awaited<ReturnType<typeof loadDriver>>,
  url: string,
  { maxConnections, preparedStatements }: ConnectionOptions,
): PostgresConnection {
  let client: ReturnType<typeof postgres>
  try {
    client = postgres(url, {
      max: maxConnections,
      // Whether a statement is kept under a name is said with each, once it is known whether there is a pooler.
      prepare: preparedStatements ?? true,
      // A connection that dies during the driver's own query for types ends the process (postgres.js #1192).
      fetch_types: false,
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
