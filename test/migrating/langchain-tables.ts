import {
  AIMessage,
  AIMessageChunk,
  ChatMessage,
  HumanMessage,
  mapChatMessagesToStoredMessages,
  SystemMessage,
  ToolMessage,
  type BaseMessage,
} from '@langchain/core/messages'
import { quoted } from './sql.ts'

const call = (id: string, args: Record<string, unknown>) =>
  ({ name: 'weather', args, id, type: 'tool_call' }) as const

/** What was said in each session, in the order in which the sessions were written to last. */
export const SESSIONS: Readonly<Record<string, readonly BaseMessage[]>> = {
  'support-1': [new HumanMessage('hi'), new AIMessage('whats up')],
  'a trip': [
    new SystemMessage('Be brief.'),
    new HumanMessage({ content: 'How\'s "Oslo"\n🥶?', name: 'ada', id: 'human-1' }),
    new AIMessage({
      content: '',
      id: 'ai-1',
      tool_calls: [call('call_1', { city: 'Oslo' }), call('call_2', {})],
      response_metadata: { model_name: 'gpt-5-mini', tokenUsage: { totalTokens: 3 } },
    }),
    new ToolMessage({ content: '{"celsius":-4}', tool_call_id: 'call_1', name: 'weather' }),
    new ToolMessage({
      content: [{ type: 'text', text: 'no city' }],
      tool_call_id: 'call_2',
      status: 'error',
    }),
    new AIMessageChunk('Cold.'),
    new ChatMessage('Thanks!', 'user'),
    new AIMessage({
      content: [
        { type: 'thinking', thinking: 'They are polite.', signature: 's' },
        { type: 'text', text: 'Shall I look again?' },
        { type: 'tool_use', id: 'toolu_1', name: 'weather', input: {} },
      ],
      tool_calls: [call('toolu_1', {})],
    }),
    new ToolMessage({ content: 'Still cold.', tool_call_id: 'toolu_1' }),
    new AIMessage('Still.'),
  ],
}

/** The host's own table, which says whose the sessions are. */
export const CHATS = `
  create table chats (id text primary key, user_id text not null);
  insert into chats values ('support-1', 'ada'), ('a trip', 'bob');`

/** The table of LangChain's PostgresChatMessageHistory, filled as that fills it. */
export function langChainTables(): string {
  const rows = Object.entries(SESSIONS).flatMap(([session, messages]) =>
    mapChatMessagesToStoredMessages([...messages]).map(
      ({ type, data }) => `(${quoted(session)}, ${quoted({ ...data, type })})`,
    ),
  )
  // Written before tool calls had a field of their own.
  const calls = [{ id: 'call_9', type: 'function', function: { name: 'f', arguments: '{"a":1}' } }]
  const old = [
    { type: 'human', content: 'and now?', additional_kwargs: {} },
    { type: 'ai', content: '', additional_kwargs: { tool_calls: calls } },
    { type: 'tool', content: '2', tool_call_id: 'call_9', additional_kwargs: {} },
  ].map((message) => `('nobody''s', ${quoted(message)})`)
  return `
    create table langchain_chat_histories (
      id serial primary key, session_id varchar(255) not null, message jsonb not null
    );
    insert into langchain_chat_histories (session_id, message) values ${[...rows, ...old].join(', ')};`
}

/**
 * The tables of LangGraph's PostgresSaver, with two checkpoints of each thread and one of a subgraph. The newest checkpoint
 * of the thread `delta` does not hold its messages, as with `MessagesDeltaValue`.
 */
export function langGraphTables(): string {
  const statements = Object.entries(SESSIONS).flatMap(([thread, messages], index) => [
    checkpoint(thread, `1f0${index}-a`, messages.slice(0, 1)),
    checkpoint(thread, `1f0${index}-b`, messages),
    checkpoint(thread, `1f0${index}-c`, messages.slice(1), 'subgraph:1'),
  ])
  return `
    create table checkpoints (
      thread_id text not null, checkpoint_ns text not null default '', checkpoint_id text not null,
      parent_checkpoint_id text, type text, checkpoint jsonb not null, metadata jsonb not null default '{}',
      primary key (thread_id, checkpoint_ns, checkpoint_id)
    );
    create table checkpoint_blobs (
      thread_id text not null, checkpoint_ns text not null default '', channel text not null, version text not null,
      type text not null, blob bytea, primary key (thread_id, checkpoint_ns, channel, version)
    );
    ${statements.join('')}
    insert into checkpoints (thread_id, checkpoint_id, checkpoint) values ('delta', '1f09-a', '{"v": 4}');`
}

function checkpoint(thread: string, id: string, messages: readonly BaseMessage[], namespace = ''): string {
  const key = [thread, namespace].map(quoted).join(', ')
  const state = { v: 4, id, channel_versions: { messages: id } }
  const blob = Buffer.from(JSON.stringify(messages)).toString('hex')
  return `
    insert into checkpoints (thread_id, checkpoint_ns, checkpoint_id, checkpoint)
      values (${key}, ${quoted(id)}, ${quoted(state)});
    insert into checkpoint_blobs values (${key}, 'messages', ${quoted(id)}, 'json', '\\x${blob}');`
}
