import Database from 'better-sqlite3'
import postgres from 'postgres'
import type { Filling } from '../harness/fill.ts'
import type { Acknowledged } from './app.ts'

/** What a database holds, against what the clients were told. All but the first two must be 0. */
export interface Proof {
  readonly acknowledged: number
  /** Conversations that were counted. */
  readonly conversations: number
  /** Turns that were acknowledged and are not there, in their conversation and at their position. */
  readonly lost: number
  /** Turns more than once under one key. */
  readonly doubled: number
  /** Conversations that do not have the turns that they began with and those acknowledged since, or whose row says else. */
  readonly miscounted: number
}

/** Every turn that the clients of a database were told was stored, and how it began. */
export class Ledger {
  readonly #conversations: readonly Filling[]
  readonly #acknowledged: Acknowledged[] = []

  /** @param conversations how the database was filled, by rank. */
  constructor(conversations: readonly Filling[]) {
    this.#conversations = conversations
  }

  add(acknowledged: readonly Acknowledged[]): void {
    for (const turn of acknowledged) this.#acknowledged.push(turn)
  }

  /** Reads every turn of the database, past the store. */
  async prove(url: string): Promise<Proof> {
    const read = url.startsWith('sqlite:') ? readSqlite : readPostgres
    const [keyed, counts] = (await read(url, [KEYED, COUNTS])) as [KeyedRow[], CountRow[]]
    const found = new Map(keyed.map((row) => [row.key, placeOf(row)]))
    const appended = new Map<number, number>()
    let lost = 0
    for (const [rank, key, position] of this.#acknowledged) {
      if (found.get(key) !== placeOf({ ...this.#conversations[rank]!, position })) lost++
      appended.set(rank, (appended.get(rank) ?? 0) + 1)
    }
    const counted = new Map(counts.map((row) => [conversationOf(row), row]))
    const isMiscounted = (filling: Filling, rank: number) => {
      const turns = filling.turns + (appended.get(rank) ?? 0)
      const row = counted.get(conversationOf(filling))
      return row?.turns !== turns || row.turnCount !== turns || row.lastPosition !== turns
    }
    return {
      acknowledged: this.#acknowledged.length,
      conversations: counts.length,
      lost,
      doubled: keyed.length - found.size,
      miscounted: this.#conversations.filter(isMiscounted).length,
    }
  }
}

interface ConversationRow {
  readonly userId: string
  readonly conversationId: string
}

interface KeyedRow extends ConversationRow {
  readonly key: string
  readonly position: number
}

interface CountRow extends ConversationRow {
  readonly turns: number
  readonly turnCount: number
  readonly lastPosition: number
}

/** Turns that have a key: all but those that the database was filled with. */
const KEYED = `
  select user_id as "userId", conversation_id as "conversationId", cast(position as int) as position,
         idempotency_key as key
  from backscroll_turns
  where idempotency_key is not null`

const COUNTS = `
  select t.user_id as "userId", t.conversation_id as "conversationId", cast(t.turns as int) as turns,
         cast(c.turn_count as int) as "turnCount", cast(c.last_position as int) as "lastPosition"
  from (
    select user_id, conversation_id, count(*) as turns from backscroll_turns group by user_id, conversation_id
  ) as t
  left join backscroll_conversations as c on c.user_id = t.user_id and c.id = t.conversation_id`

function conversationOf({ userId, conversationId }: ConversationRow): string {
  return JSON.stringify([userId, conversationId])
}

function placeOf(row: ConversationRow & { readonly position: number }): string {
  return `${conversationOf(row)} ${row.position}`
}

async function readSqlite(url: string, texts: readonly string[]): Promise<unknown[][]> {
  const database = new Database(url.slice('sqlite:'.length), { readonly: true })
  try {
    return texts.map((text) => database.prepare(text).all())
  } finally {
    database.close()
  }
}

async function readPostgres(url: string, texts: readonly string[]): Promise<unknown[][]> {
  const sql = postgres(url, { max: 1 })
  try {
    return await Promise.all(texts.map(async (text) => [...(await sql.unsafe(text))]))
  } finally {
    await sql.end()
  }
}
