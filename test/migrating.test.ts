import type { BaseMessage } from '@langchain/core/messages'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore, type ConversationStore, type Message } from '../src/index.ts'
import { BackscrollChatMessageHistory } from '../src/langchain.ts'
import { openConversation } from '../src/transfer/open-conversation.ts'
import { guideFile, importArguments } from './migrating/guide.ts'
import { hostWith, type Host } from './migrating/host.ts'
import { CHATS, langChainTables, langGraphTables, SESSIONS } from './migrating/langchain-tables.ts'
import { mastraTables } from './migrating/mastra-tables.ts'
import { ownTable, timeOf } from './migrating/own-table.ts'
import { printed, runScript, type OldDatabase } from './migrating/sql.ts'
import { runHere, type Ended } from './support/cli.ts'
import { createPostgres, onEachDatabase, type Created } from './support/databases.ts'

const folder = mkdtempSync(join(tmpdir(), 'backscroll-migrating-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const user = (content: string): Message => ({ role: 'user', content })
const assistant = (content: string): Message => ({ role: 'assistant', content })
const result = (id: string, content: string): Message => ({ role: 'tool', tool_call_id: id, content })
const call = (id: string, name: string, input: string) =>
  ({ id, type: 'function', function: { name, arguments: input } }) as const

/** JSON as a database writes it: Postgres puts spaces into it. */
function written({ name }: OldDatabase, value: object): string {
  const json = JSON.stringify(value)
  return name === 'postgres' ? json.replaceAll(/[:,]/g, '$& ') : json
}

/** Imports what a query of the guide prints, by the guide's command, into the database that the old tables are in. */
async function importBy(query: string, database: OldDatabase, { withPictures = false } = {}): Promise<Ended> {
  const file = join(folder, 'old.jsonl')
  writeFileSync(file, (await printed(database, guideFile(query))).map((line) => `${line}\n`).join(''))
  const args = importArguments({ withPictures }).map((argument) =>
    argument === 'old.jsonl' ? file : argument,
  )
  return runHere([...args, '--database', database.url])
}

/** What a check of the guide counts, in any order. `::json` is for Postgres alone, as the guide says. */
async function counted(query: string, database: OldDatabase): Promise<string[]> {
  const text = database.name === 'sqlite' ? guideFile(query).replace('::json', '') : guideFile(query)
  return (await printed(database, text)).toSorted()
}

/** A conversation's turns, which keep their counts. */
async function turnsOf(store: ConversationStore, userId: string, conversationId: string) {
  const { conversation } = await openConversation(store, { userId, conversationId })
  return conversation.listTurns()
}

async function messagesOf(store: ConversationStore, userId: string, conversationId: string) {
  return (await turnsOf(store, userId, conversationId)).map(({ messages }) => messages)
}

/** When a conversation's turns were begun, as the old tables say. */
async function timesOf(store: ConversationStore, userId: string, conversationId: string): Promise<string[]> {
  const turns = await turnsOf(store, userId, conversationId)
  return turns.map(({ metadata }) => new Date(String(metadata?.['created_at'])).toISOString())
}

onEachDatabase('a messages table of your own', (database) => {
  const query = database.name === 'sqlite' ? 'messages-sqlite.sql' : 'messages.sql'
  let store: ConversationStore
  let moved: Ended
  beforeAll(async () => {
    await runScript(database, ownTable(database.name))
    moved = await importBy(query, database)
    store = await database.open()
  })

  it('is moved whole: each message in its place, with what it was answered', async () => {
    expect(moved.code).toBe(0)
    expect(moved.output).toContain('4 turns stored, 0 there already: 3 conversations of 2 users')
    expect(await messagesOf(store, '1', '7')).toEqual([
      [assistant('Welcome!'), user('It\'s "cold"\n🥶 <|endoftext|> \\n'), assistant('Indeed.')],
      [user(''), assistant('You said nothing.')],
    ])
    expect(await messagesOf(store, '1', '5')).toEqual([[user('hi'), assistant('whats up')]])
    expect(await messagesOf(store, '2', '7')).toEqual([[user("another user's")]])
  })

  it('keeps when each turn began, and which conversation was written to last', async () => {
    expect(await timesOf(store, '1', '7')).toEqual([timeOf(0), timeOf(3)])
    const listed = await store.listConversations('1')
    expect(listed.map(({ conversationId }) => conversationId)).toEqual(['5', '7'])
  })

  it('is counted as the guide says, as chat', async () => {
    const conversation = store.conversation({ userId: '1', conversationId: '7' })
    expect(await conversation.countedAs()).toMatchObject({ framing: { kind: 'chat' } })
  })

  it('has as many messages on both sides, also when it is moved again', async () => {
    const before = await counted('messages-before.sql', database)
    expect(before).toEqual(['1|5|2', '1|7|5', '2|7|1'])
    expect(await counted('messages-after.sql', database)).toEqual(before)
    expect((await importBy(query, database)).output).toContain('0 turns stored, 4 there already')
    expect(await counted('messages-after.sql', database)).toEqual(before)
  })
})

onEachDatabase("Mastra's threads", (database) => {
  const query = database.name === 'sqlite' ? 'mastra-libsql.sql' : 'mastra.sql'
  let store: ConversationStore
  let moved: Ended
  beforeAll(async () => {
    await runScript(database, mastraTables(database.name))
    moved = await importBy(query, database, { withPictures: true })
    store = await database.open()
  })

  it('are moved with texts, files, calls and their results, in their order', async () => {
    expect(moved.code).toBe(0)
    expect(moved.output).toContain('3 turns stored, 0 there already: 2 conversations of 2 users')
    const called = (id: string, city: string): Message => ({
      role: 'assistant',
      content: null,
      tool_calls: [call(id, 'weather', written(database, { city }))],
    })
    expect(await messagesOf(store, 'ada', 'support-1')).toEqual([
      [
        user('It\'s "cold"\n🥶, isn\'t it?'),
        assistant('Let me look.'),
        called('call_1', 'Ōslo'),
        result('call_1', written(database, { isDry: true, celsius: -4.5 })),
        called('call_2', 'Nowhere'),
        result('call_2', 'no such city'),
        called('call_3', 'Rome'),
        result('call_3', 'warm'),
        called('call_4', 'Bonn'),
        result('call_4', 'true'),
        called('call_5', 'Ulm'),
        result('call_5', 'null'),
        assistant('It is -4.5 degrees.'),
      ],
      [user('And now?'), assistant('The same.')],
    ])
    const content = [
      { type: 'text', text: 'What is this?' },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
      { type: 'file', file: { file_data: 'data:application/pdf;base64,JVBERi0=' } },
    ]
    expect(await messagesOf(store, 'bob', 'a trip')).toEqual([
      [{ role: 'user', content }, assistant('A cat.')],
    ])
  })

  it('keep their title and their times', async () => {
    const times = await timesOf(store, 'ada', 'support-1')
    expect(times).toEqual(['2026-01-02T03:00:00.000Z', '2026-01-02T03:02:00.000Z'])
    const listed = await store.listConversations('ada')
    expect(listed.map(({ metadata }) => metadata)).toEqual([{ title: 'How cold?' }])
  })

  it('have as many turns as users had messages, also when they are moved again', async () => {
    const before = await counted('mastra-before.sql', database)
    expect(before).toEqual(['ada|support-1|2', 'bob|a trip|1'])
    expect(await counted('mastra-after.sql', database)).toEqual(before)
    const again = await importBy(query, database, { withPictures: true })
    expect(again.output).toContain('0 turns stored, 3 there already')
    expect(await counted('mastra-after.sql', database)).toEqual(before)
  })
})

describe("a table of LangChain's history", () => {
  let database: OldDatabase & Created
  let moved: Ended
  beforeAll(async () => {
    database = { name: 'postgres', ...(await createPostgres()) }
    await runScript(database, CHATS + langChainTables())
    moved = await importBy('langchain.sql', database)
  })
  afterAll(() => database.drop())

  it('is moved in chat form, with tool calls of every age; a session of nobody is mine', async () => {
    expect(moved.code).toBe(0)
    expect(moved.output).toContain('4 turns stored, 0 there already: 3 conversations of 3 users')
    await using store = await openStore(database.url)
    expect(await messagesOf(store, 'ada', 'support-1')).toEqual([[user('hi'), assistant('whats up')]])
    expect(await messagesOf(store, 'bob', 'a trip')).toEqual([
      [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'How\'s "Oslo"\n🥶?', name: 'ada' },
        {
          role: 'assistant',
          content: '',
          tool_calls: [call('call_1', 'weather', '{"city": "Oslo"}'), call('call_2', 'weather', '{}')],
        },
        { ...result('call_1', '{"celsius":-4}'), name: 'weather' },
        { ...result('call_2', ''), content: [{ type: 'text', text: 'no city' }] },
        assistant('Cold.'),
      ],
      [
        user('Thanks!'),
        {
          role: 'assistant',
          content: [{ type: 'text', text: 'Shall I look again?' }],
          tool_calls: [call('toolu_1', 'weather', '{}')],
        },
        result('toolu_1', 'Still cold.'),
        assistant('Still.'),
      ],
    ])
    expect(await messagesOf(store, 'me', "nobody's")).toEqual([
      [
        user('and now?'),
        { role: 'assistant', content: '', tool_calls: [call('call_9', 'f', '{"a":1}')] },
        result('call_9', '2'),
      ],
    ])
  })

  it('has as many messages on both sides, also when it is moved again', async () => {
    const before = await counted('langchain-before.sql', database)
    expect(before).toEqual(['ada|support-1|2', 'bob|a trip|10', "me|nobody's|3"])
    expect(await counted('messages-after.sql', database)).toEqual(before)
    expect((await importBy('langchain.sql', database)).output).toContain('0 turns stored, 4 there already')
    expect(await counted('messages-after.sql', database)).toEqual(before)
  })
})

describe("LangChain's messages", () => {
  let old: Created
  let host: Host
  beforeAll(async () => {
    old = await createPostgres()
    const owner = "insert into chats values ('nobody''s', 'eve');"
    await runScript({ name: 'postgres', url: old.url }, CHATS + owner + langChainTables() + langGraphTables())
    host = hostWith(['move.mjs', 'langchain.mjs', 'langgraph.mjs'])
  })
  afterAll(async () => {
    host.remove()
    await old.drop()
  })

  it.each([
    ['langchain.mjs', "nobody's: 3 messages moved"],
    ['langgraph.mjs', 'delta: NO MESSAGES in its newest checkpoint'],
  ])('are moved by %s with all that LangChain knows of them, and once', async (script, last) => {
    const urls = { OLD: old.url, NEW: `sqlite:${join(folder, `${script}.db`)}` }
    const { stdout, exitCode } = await host.runTwice(script, urls)
    expect(exitCode).toBe(0)
    const told = `support-1: 2 messages moved\na trip: 10 messages moved\n${last}\n`
    expect(stdout).toBe(told + told)

    await using store = await openStore(urls.NEW)
    for (const [conversationId, messages] of Object.entries(SESSIONS)) {
      const userId = conversationId === 'a trip' ? 'bob' : 'ada'
      const history = new BackscrollChatMessageHistory({ store, userId, conversationId })
      expect((await history.getMessages()).map(known)).toEqual(messages.map(known))
    }
  })
})

/** All of a message but the pieces that a stream was put together of. */
function known(message: BaseMessage): object {
  const { tool_call_chunks: _, ...data } = message.toDict().data as { tool_call_chunks?: unknown }
  return { type: message.type, ...data }
}
