import Sqlite from 'better-sqlite3'

/** Which statements of a database file fail, and how. Counted from the moment the fault is injected. */
export interface StatementFault {
  /** The first that fails, from 1 on. */
  readonly at: number
  /** How many in a row fail. Default: 1. */
  readonly times?: number
  /** Whether it fails instead of being run, or once it has been. */
  readonly when: 'before' | 'after'
  /** SQLite's extended result code, such as `SQLITE_FULL`. */
  readonly code: string
}

/** What became of a fault. */
export interface StatementInjection {
  /** The statements that failed, in order. */
  readonly struck: readonly string[]
  /** Nothing fails any more. */
  heal(): void
}

/**
 * Makes statements fail on every connection of this process to a database file, better-sqlite3's own `begin`, `commit`
 * and `rollback` among them: preparing one counts as a statement, and running it as another. Heal before injecting anew.
 */
export function failStatements(
  path: string,
  { at, times = 1, when, code }: StatementFault,
): StatementInjection {
  const struck: string[] = []
  let count = 0
  const fail = <T>(name: string, run: () => T): T => {
    count++
    const isHit = count >= at && count < at + times
    if (!isHit) return run()
    struck.push(name)
    if (when === 'after') run()
    throw new Sqlite.SqliteError('played by the test', code)
  }
  const undo = [
    ...(['prepare', 'exec'] as const).map((method) =>
      wrap(Sqlite.prototype as unknown as Patched, method, (database, run, [text]) =>
        database.name === path ? fail(`${method} ${String(text)}`, run) : run(),
      ),
    ),
    ...(['run', 'get', 'all', 'iterate'] as const).map((method) =>
      wrap(statementPrototype(), method, (statement, run) =>
        statement.database?.name === path ? fail(statement.source ?? '', run) : run(),
      ),
    ),
  ]
  return { struck, heal: () => undo.forEach((each) => each()) }
}

/** As much of better-sqlite3's databases and statements as is needed to tell whose they are. */
interface Target {
  readonly name?: string
  readonly source?: string
  readonly database?: { readonly name: string }
}
type Patched = Record<string, (this: Target, ...values: unknown[]) => unknown>

/** Better-sqlite3's statements, its own among them, share one prototype, which it does not export. */
function statementPrototype(): Patched {
  const client = new Sqlite(':memory:')
  try {
    return Object.getPrototypeOf(client.prepare('select 1')) as Patched
  } finally {
    client.close()
  }
}

/** Puts `around` in the place of a method; gives what puts it back. */
function wrap(
  prototype: Patched,
  method: string,
  around: (target: Target, run: () => unknown, values: unknown[]) => unknown,
): () => void {
  const original = prototype[method]!
  prototype[method] = function wrapped(...values) {
    return around(this, () => original.apply(this, values), values)
  }
  return () => void (prototype[method] = original)
}
