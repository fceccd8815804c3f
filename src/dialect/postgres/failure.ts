import {
  DatabaseError,
  DatabaseUnavailableError,
  NotMigratedError,
  OutcomeUnknownError,
} from '../../errors.ts'
import { reduceCause } from '../../redact.ts'
import type { Failure } from '../dialect.ts'
import { driverError } from '../driver-error.ts'

/**
 * Errors after which nothing was applied and a later try may work: a serialization failure, a deadlock, a lock that
 * could not be had, too many connections, a server that starts, one that is read-only while another takes its place, a
 * server that cannot be reached. Two by which an append undoes itself, to be run again: a unique key (another call with
 * the same idempotency key came first) and a null (the conversation was erased meanwhile). And two rows where a subquery
 * takes one: a host's transaction that reads repeatably sees both the conversation that others erased and the one that it
 * began anew itself. And a name for a statement that the server does not know, because a pooler came in between.
 */
const NOT_APPLIED = new Set([
  '40001',
  '40P01',
  '55P03',
  '53300',
  '57P03',
  '25006',
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  '23505',
  '23502',
  '21000',
  '26000',
])

/** Errors after which a statement that was under way may or may not have been applied. */
const MAY_BE_APPLIED = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'CONNECT_TIMEOUT',
  'ECONNRESET',
  'ETIMEDOUT',
  'EPIPE',
  '57P01',
  '57P02',
  // The server ended the connection because of a timeout of its own: of an idle one, of a transaction.
  '57P05',
  '25P03',
  '25P04',
  // Statement completion unknown: a distributed server lost the answer of another node.
  '40003',
])

/** What hosts' drivers (node-postgres, PGlite) say before they send a statement, where they have no code for it. */
const NOT_SENT = [
  'timeout exceeded when trying to connect',
  'timeout expired',
  'Connection terminated due to connection timeout',
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Cannot use a pool after calling end on the pool',
  'PGlite is closing',
  'PGlite is closed',
]

/** The same after they sent one. */
const NO_ANSWER = ['Connection terminated', 'Connection terminated unexpectedly', 'Query read timeout']

/** What an error of the driver means for the caller. */
export function explain(error: unknown): Failure {
  const { code = '' } = reduceCause(error)
  const said = code === '' ? messageOf(error) : ''
  if (NOT_APPLIED.has(code) || NOT_SENT.includes(said)) {
    return { error: new DatabaseUnavailableError(UNAVAILABLE, { cause: error }), retry: 'always' }
  }
  if (MAY_BE_APPLIED.has(code) || code.startsWith('08') || NO_ANSWER.includes(said)) {
    return { error: new OutcomeUnknownError(UNKNOWN, { cause: error }), retry: 'if-repeatable' }
  }
  if (code === '') return { error: new OutcomeUnknownError(NO_CODE, { cause: error }), retry: 'never' }
  if (MISSING.has(code)) {
    return { error: new NotMigratedError(NOT_MIGRATED, { cause: error }), retry: 'never' }
  }
  return { error: new DatabaseError(REFUSALS.get(code) ?? OTHER, { cause: error }), retry: 'never' }
}

/** Undefined table, undefined column. */
const MISSING = new Set(['42P01', '42703'])

const UNAVAILABLE =
  'Postgres cannot be reached, or cannot take the statement now; the code of the cause says why. Nothing was written; try again later.'
const UNKNOWN =
  'The connection to Postgres was lost while the call was under way. A write may or may not have been stored: ' +
  'repeat it with the same idempotency key, or look before writing again.'
const NO_CODE =
  "The host's driver, or what it has drizzle call, failed without a code; the cause has the error's name. A write may or may " +
  'not have been stored: repeat it with the same idempotency key, or look before writing again.'
const NOT_MIGRATED =
  "backscroll's tables are missing or outdated here. Call `await store.migrate()` first; where a migration tool of your own keeps them, " +
  'have that make what is new in this version.'
const RIGHT_MISSING =
  "This role has not the rights on backscroll's tables, or on their schema, that the statement needs. Nothing was written. " +
  'Migrate as the owner of the tables; as the owner, grant the role of the app select, insert, update and delete on ' +
  'backscroll_conversations, backscroll_turns and backscroll_operations, select on backscroll_migrations, and usage on ' +
  'the schema.'
const LOGIN_REFUSED =
  'Postgres does not let this role in: look at its name, its password and pg_hba.conf. Nothing was written.'
const OTHER = 'Postgres refused the statement. Nothing was written. The code of the cause is its SQLSTATE.'

/** What an operator gets wrong most, by SQLSTATE. */
const REFUSALS: ReadonlyMap<string, string> = new Map([
  ['42501', RIGHT_MISSING],
  ['28000', LOGIN_REFUSED],
  ['28P01', LOGIN_REFUSED],
  [
    '3D000',
    'There is no database of that name on the server. Nothing was written. Make it first: create database.',
  ],
  ['3F000', 'The search_path of this role names no schema that it may use. Nothing was written.'],
  [
    '42704',
    'There is no role of that name, to which rights could be granted. Make it first: create role. Nothing was granted.',
  ],
])

function messageOf(error: unknown): string {
  const inner = driverError(error)
  return inner instanceof Error ? inner.message : ''
}
