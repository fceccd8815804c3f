import { quoted, type OldDatabase } from './sql.ts'

/** Rows of a `messages` table: conversation, user, role, content, seconds after the first. */
const ROWS = [
  [7, 1, 'assistant', 'Welcome!', 0],
  [7, 1, 'user', 'It\'s "cold"\n🥶 <|endoftext|> \\n', 1],
  // At the same time: the id decides.
  [7, 1, 'assistant', 'Indeed.', 1],
  [5, 1, 'user', 'hi', 2],
  [7, 1, 'user', '', 3],
  [7, 1, 'assistant', 'You said nothing.', 4],
  [5, 1, 'assistant', 'whats up', 9],
  [7, 2, 'user', "another user's", 5],
] as const

/** When a row was written, as ISO text. */
export function timeOf(seconds: number): string {
  return new Date(Date.UTC(2026, 0, 2, 3, 4, 5) + seconds * 1000).toISOString()
}

/** A table as people make it by hand; its rows lie in it in another order than they were said in. */
export function ownTable(name: OldDatabase['name']): string {
  const rows = ROWS.map(([conversation, user, role, content, seconds], index) => {
    // SQLite's current_timestamp has neither a T nor a zone.
    const time = name === 'sqlite' ? timeOf(seconds).replace('T', ' ').slice(0, 19) : timeOf(seconds)
    return `(${index}, ${conversation}, ${user}, ${quoted(role)}, ${quoted(content)}, ${quoted(time)})`
  })
  const time = name === 'sqlite' ? 'text default current_timestamp' : 'timestamptz default now()'
  return `
    create table messages (
      id integer primary key, conversation_id integer not null, user_id integer not null,
      role text not null, content text not null, created_at ${time}
    );
    create index messages_by_conversation on messages (user_id, conversation_id, role);
    insert into messages values ${rows.toReversed().join(', ')};`
}
