/**
 * What calls that were made at once gave. Waits for all of them also where one fails: whatever is still under way may
 * write, after the rows of the run were erased.
 */
export async function allEnded<T extends readonly Promise<unknown>[]>(
  calls: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(calls)
  return Promise.all(calls)
}
