import { entityKind, is } from 'drizzle-orm'
import { kindOf } from '../redact.ts'

/** Whether a value is one of drizzle's objects of this class. Its own `is` fails on an object without a prototype. */
export function isKind(value: unknown, type: Parameters<typeof is>[1]): boolean {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) !== null && is(value, type)
  )
}

/**
 * The names that drizzle gives the class of a value and the ones that it extends, the class itself first: they tell the
 * driver of a database without loading any. None for what is not drizzle's.
 */
export function kindsOf(value: unknown): string[] {
  const kinds: string[] = []
  for (let one = value; typeof one === 'object' && one !== null; one = Object.getPrototypeOf(one)) {
    const type: unknown = Object.hasOwn(one, 'constructor') ? one.constructor : undefined
    if (typeof type === 'function' && Object.hasOwn(type, entityKind)) {
      kinds.push((type as unknown as { readonly [entityKind]: string })[entityKind])
    }
  }
  return kinds
}

/** What an error message may say of a value that should have been one of drizzle's databases. */
export function described(value: unknown): string {
  const [kind] = kindsOf(value)
  return kind === undefined ? kindOf(value) : `drizzle's ${kind}`
}
