import { is } from 'drizzle-orm'

/** Whether a value is one of drizzle's objects of this class. Its own `is` fails on an object without a prototype. */
export function isKind(value: unknown, type: Parameters<typeof is>[1]): boolean {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) !== null && is(value, type)
  )
}
