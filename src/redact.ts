/**
 * What a driver's error is reduced to before we keep it as a `cause`: its name and its code.
 * Never its message, stack or details: Postgres puts the failing row there, and drizzle the statement's parameters.
 */
export interface ReducedCause {
  readonly name: string
  readonly code: string | undefined
}

/** The part of an unknown error that is safe to keep and to print. A wrapped error (drizzle's) is looked through. */
export function reduceCause(error: unknown): ReducedCause {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (!(inner instanceof Error)) return { name: typeof inner, code: undefined }
  const code = (inner as { code?: unknown }).code
  return { name: inner.name, code: typeof code === 'string' ? code : undefined }
}

/** What an error message may say of a wrong value: its kind, and a number itself, but never a text. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string')
    return value === '' ? 'an empty string' : `a string of ${value.length} characters`
  if (Array.isArray(value)) return `an array of ${value.length}`
  return /^[aeiou]/.test(typeof value) ? `an ${typeof value}` : `a ${typeof value}`
}
