import { BackscrollError } from '../errors.ts'

/** A promise that was not kept, in words that a {@link ConformanceError} passes on. */
export class Broken extends Error {}

/**
 * Holds what a store gave against what it promised. What differs is told by its place, numbers by their value, and texts
 * by their length alone: where isolation fails, what is seen is somebody else's.
 *
 * @param what names what was seen, such as `the window under limit 12`.
 * @throws {Broken}
 */
export function expectSame(what: string, seen: unknown, promised: unknown): void {
  const difference = differenceOf(seen, promised, '')
  if (difference !== undefined) throw new Broken(`${what}${difference}`)
}

/**
 * A call that must fail.
 *
 * @param code the code of the error that was promised.
 * @throws {Broken} where it succeeds, or fails in another way.
 */
export async function expectRefused(what: string, call: Promise<unknown>, code: string): Promise<void> {
  const seen = await call.then(
    () => 'was accepted',
    (error: unknown) => `failed with ${codeOf(error)}`,
  )
  if (seen !== `failed with ${code}`) throw new Broken(`${what} ${seen}; promised was the error ${code}`)
}

/** The code of an error of backscroll's, and the name of any other. */
export function codeOf(error: unknown): string {
  if (error instanceof BackscrollError) return error.code
  return error instanceof Error ? error.name : typeof error
}

/** The same, with the code that the database gave. */
export function explain(error: unknown): string {
  const { code } = (error as { cause?: { code?: string } } | undefined)?.cause ?? {}
  return code === undefined ? codeOf(error) : `${codeOf(error)} (${code})`
}

function differenceOf(seen: unknown, promised: unknown, path: string): string | undefined {
  if (Object.is(seen, promised)) return undefined
  if (promised instanceof Date && seen instanceof Date) {
    return differenceOf(seen.getTime(), promised.getTime(), path)
  }
  if (Array.isArray(promised) && Array.isArray(seen)) {
    if (seen.length !== promised.length) return `${path}: ${seen.length} entries, not ${promised.length}`
  } else if (!isRecord(promised) || !isRecord(seen)) {
    return `${path}: ${show(seen)}, not ${show(promised)}`
  }
  // The path is told by the names that were promised: others may be somebody's text.
  const names = Object.keys(promised)
  if (Object.keys(seen).some((name) => !Object.hasOwn(promised, name)))
    return `${path}: more than was promised`
  for (const name of names) {
    const [part, other] = [promised, seen].map((value) => (value as Record<string, unknown>)[name])
    const difference = differenceOf(other, part, `${path}.${name}`)
    if (difference !== undefined) return difference
  }
  return undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function show(value: unknown): string {
  if (typeof value === 'string') return `a text of ${value.length} characters`
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object'
  return String(value)
}
