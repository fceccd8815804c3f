import Sqlite from 'better-sqlite3'
import postgres from 'postgres'
import { expect } from 'vitest'
import type { Message } from '../../src/index.ts'
import type { TestDatabase } from './databases.ts'

type Row = Record<string, unknown>

/** A turn of one question and one answer. */
export function turnOf(question: string, answer = 'Noted.'): Message[] {
  return [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ]
}

/** Runs one statement on a connection of its own, past backscroll. No parameters: write the values into the text. */
export async function runSql(
  { name, url }: Pick<TestDatabase, 'name' | 'url'>,
  text: string,
): Promise<Row[]> {
  if (name === 'sqlite') {
    const client = new Sqlite(url.slice('sqlite:'.length), { timeout: 5000 })
    try {
      const statement = client.prepare(text)
      if (statement.reader) return statement.all() as Row[]
      statement.run()
      return []
    } finally {
      client.close()
    }
  }
  const client = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} })
  try {
    return [...(await client.unsafe(text))]
  } finally {
    await client.end()
  }
}

/** A turn's row, its numbers as numbers. */
export interface StoredRow {
  readonly position: number
  readonly tokens: number
  readonly key: string | null
  readonly content: string
}

/**
 * Reads a conversation's rows, all in one statement, and holds them against each other: positions rise, each running
 * total is the sum of the counts so far, and the conversation's own row says the same as its turns. Returns the
 * turns' rows.
 */
export async function expectConsistent(
  database: Pick<TestDatabase, 'name' | 'url'>,
  { userId, conversationId }: { userId: string; conversationId: string },
): Promise<StoredRow[]> {
  const rows = await runSql(
    database,
    `select c.id, c.last_position, c.newest_position, c.turn_count, c.total_tokens, c.newest_saving,
            t.position, t.token_count, t.closing_token_count, t.cumulative_tokens, t.messages, t.idempotency_key
     from (select * from backscroll_conversations where user_id = '${userId}' and id = '${conversationId}') as c
     full join (
       select * from backscroll_turns where user_id = '${userId}' and conversation_id = '${conversationId}'
     ) as t on t.conversation_id = c.id
     order by t.position`,
  )
  const turns = rows.filter((row) => row['position'] !== null)
  let total = 0
  let last = 0
  for (const turn of turns) {
    expect(turn['id'], 'a turn without its conversation').not.toBeNull()
    expect(Number(turn['position'])).toBeGreaterThan(last)
    last = Number(turn['position'])
    total += Number(turn['token_count'])
    expect(Number(turn['cumulative_tokens'])).toBe(total)
  }
  const [head] = rows
  const newest = turns.at(-1)
  const saving = newest ? Number(newest['token_count']) - Number(newest['closing_token_count']) : 0
  if (head) {
    expect({
      newest: Number(head['newest_position']),
      turns: Number(head['turn_count']),
      tokens: Number(head['total_tokens']),
      saving: Number(head['newest_saving']),
    }).toEqual({ newest: last, turns: turns.length, tokens: total, saving })
    expect(Number(head['last_position'])).toBeGreaterThanOrEqual(last)
  }
  return turns.map((turn) => ({
    position: Number(turn['position']),
    tokens: Number(turn['token_count']),
    key: turn['idempotency_key'] as string | null,
    content: (JSON.parse(String(turn['messages'])) as { content: string }[])[0]!.content,
  }))
}

/** Whole numbers from 1 to `last`: the positions of a conversation in which nothing is missing. */
export function oneTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1)
}
