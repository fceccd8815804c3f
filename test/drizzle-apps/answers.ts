import { expect } from 'vitest'
import type { ConversationStore } from '../../src/index.ts'
import type { TestDatabase } from '../support/databases.ts'
import { begin, METHODS, storedIn } from '../support/faults/methods.ts'

/**
 * What every method gives and leaves behind, each on a conversation of its own, with a word in place of each time: the
 * same on any client.
 *
 * @param lane the beginning of the ids of users whom nobody else has in this database.
 */
export async function answersOf(
  database: Pick<TestDatabase, 'name' | 'url'>,
  store: ConversationStore,
  lane: string,
): Promise<Record<string, unknown>> {
  const answers: Record<string, unknown> = {}
  for (const { name, call } of METHODS) {
    const key = { userId: `${lane} ${name}`, conversationId: 'c' }
    await begin(store, key)
    answers[name] = timeless([await call(store, key), await storedIn(database, store, key)])
  }
  return answers
}

function timeless(value: unknown): unknown {
  if (value instanceof Date) {
    expect(Math.abs(value.getTime() - Date.now()), 'milliseconds from now').toBeLessThan(60_000)
    return 'a time'
  }
  if (Array.isArray(value)) return value.map(timeless)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
  return Object.fromEntries(entries.map(([name, of]) => [name, name === 'cursor' ? 'a place' : timeless(of)]))
}
