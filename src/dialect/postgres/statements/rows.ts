/**
 * The rows of an answer. When a connection broke within one, postgres.js 3.4.9 begins the first answer on the connection
 * that takes its place with as many holes as rows had come. Taken for rows, they say something else: of an append, that
 * it was refused, so that it is made again.
 */
export function withoutHoles<T>(answer: readonly T[]): T[] {
  // A hole is no element: `filter` passes over it.
  return answer.filter(() => true)
}

/** The rows of what drizzle's `execute` gives: with postgres.js the rows themselves, with other drivers an object of them. */
export function rowsOf<T>(answer: unknown): T[] {
  return withoutHoles((Array.isArray(answer) ? answer : (answer as { rows: unknown }).rows) as readonly T[])
}
