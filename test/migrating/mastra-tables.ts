import { quoted, type OldDatabase } from './sql.ts'

const TABLES = {
  postgres: `
    create table mastra_threads (
      id text primary key, "resourceId" text not null, title text not null, metadata jsonb,
      "createdAt" timestamp not null, "updatedAt" timestamp not null,
      "createdAtZ" timestamptz default now(), "updatedAtZ" timestamptz default now()
    );
    create table mastra_messages (
      id text primary key, thread_id text not null, content text not null, role text not null, type text not null,
      "createdAt" timestamp not null, "resourceId" text, "createdAtZ" timestamptz default now()
    );`,
  sqlite: `
    create table mastra_threads (
      "id" text not null primary key, "resourceId" text not null, "title" text not null, "metadata" text,
      "createdAt" text not null, "updatedAt" text not null
    );
    create table mastra_messages (
      "id" text not null primary key, "thread_id" text not null, "content" text not null, "role" text not null,
      "type" text not null, "createdAt" text not null, "resourceId" text
    );`,
}

const user = (...parts: object[]) => ({ role: 'user', content: { format: 2, parts } })
const assistant = (...parts: object[]) => ({ role: 'assistant', content: { format: 2, parts } })
const text = (value: string) => ({ type: 'text', text: value, createdAt: 1_767_323_045_000 })
const file = (mimeType: string, data: string) => ({ type: 'file', mimeType, data })
const call = (toolCallId: string, city: string, rest: object) => ({
  type: 'tool-invocation',
  toolInvocation: { toolCallId, toolName: 'weather', args: { city }, ...rest },
})

/** Messages of a thread in the order in which they were said, as an agent with a tool leaves them. */
const SUPPORT = [
  user(text('It\'s "cold"\n🥶, isn\'t it?')),
  assistant(
    { type: 'reasoning', reasoning: '', details: [{ type: 'text', text: 'I should look.' }] },
    text('Let me look.'),
    call('call_1', 'Ōslo', { state: 'result', result: { isDry: true, celsius: -4.5 } }),
    call('call_2', 'Nowhere', { state: 'output-error', errorText: 'no such city' }),
    { type: 'step-start', model: 'openai/gpt-5-mini' },
    call('call_3', 'Rome', { state: 'result', result: 'warm' }),
    call('call_4', 'Bonn', { state: 'result', result: true }),
    call('call_5', 'Ulm', { state: 'result', result: null }),
    call('call_6', 'Kiel', { state: 'call' }),
    text('It is -4.5 degrees.'),
  ),
  user(text('And '), text('now?')),
  assistant(text('The same.')),
]

const TRIP = [
  user(
    text('What is this?'),
    file('image/png', 'data:image/png;base64,iVBORw0KGgo='),
    file('application/pdf', 'data:application/pdf;base64,JVBERi0='),
  ),
  assistant(text('A cat.')),
]

/** Mastra's tables with two threads; `support-1` was written to first, and has a title. */
export function mastraTables(name: OldDatabase['name']): string {
  const threads = [
    { id: 'support-1', user: 'ada', title: 'How cold?', messages: SUPPORT, hour: 3 },
    { id: 'a trip', user: 'bob', title: '', messages: TRIP, hour: 4 },
  ]
  const statements = threads.map((thread) => {
    const at = (minute: number) => quoted(new Date(Date.UTC(2026, 0, 2, thread.hour, minute)).toISOString())
    const twice = (...times: string[]) => (name === 'postgres' ? [...times, ...times] : times)
    const row = [thread.id, thread.user, thread.title, null].map(quoted)
    const rows = thread.messages.map(({ role, content }, index) => {
      // Ids say nothing of the order.
      const values = [`${9 - index}-${thread.id}`, thread.id, content, role, 'v2'].map(quoted)
      return `(${[...values, at(index), quoted(thread.user), ...(name === 'postgres' ? [at(index)] : [])].join(', ')})`
    })
    return `
      insert into mastra_threads values (${[...row, ...twice(at(0), at(9))].join(', ')});
      insert into mastra_messages values ${rows.toReversed().join(', ')};`
  })
  return TABLES[name] + statements.join('')
}
