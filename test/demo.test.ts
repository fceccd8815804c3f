import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseArguments } from '../demo/arguments.ts'
import { WrongArgumentsError } from '../src/cli/arguments.ts'
import { withoutCredentials } from '../src/cli/database.ts'
import { onEachDatabase } from './support/databases.ts'

const folder = mkdtempSync(join(tmpdir(), 'backscroll-demo-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Run {
  readonly code: number
  readonly output: string
  readonly errors: string
}

/** Runs `npm run demo -- …` without npm, with a temporary folder of its own. */
async function demo(...args: string[]): Promise<Run> {
  const main = fileURLToPath(new URL('../demo/main.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...args], {
    env: { ...process.env, TMPDIR: folder, FORCE_COLOR: undefined },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [[code], output, errors] = await Promise.all([
    once(child, 'close'),
    text(child.stdout),
    text(child.stderr),
  ])
  return { code: code as number, output, errors }
}

/** Text that must appear in no error. */
const CANARY = 'canary-7f3a'

/** A file of records, one a line; a string stands as it is. */
function fileOf(name: string, lines: readonly unknown[]): string {
  const path = join(folder, name)
  writeFileSync(
    path,
    lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'),
  )
  return path
}

const calls = [{ id: '1', type: 'function', function: { name: 'find_seat', arguments: '{"row":12}' } }]

/** Two users, five turns: a greeting before the first user message, tool calls, null content, U+2028, a blank line. */
const RECORDS = [
  {
    user_id: 'ada',
    conversation_id: 'one',
    messages: [
      { role: 'assistant', content: 'Welcome!' },
      { role: 'user', content: 'A seat,\u2028please \u001b[31mnow' },
      { role: 'assistant', content: null, tool_calls: calls },
      { role: 'tool', tool_call_id: '1', content: '12C' },
      { role: 'assistant', content: 'You have 12C.' },
      { role: 'user', content: 'Thanks 東京 🚆' },
    ],
  },
  '',
  {
    user_id: 'bo',
    conversation_id: 'two',
    messages: [{ role: 'user', content: `${'long '.repeat(400)}end` }],
  },
  {
    user_id: 'ada',
    conversation_id: 'three',
    messages: [
      { role: 'user', content: 'first' },
      { role: 'assistant', content: 'reply' },
      { role: 'user', content: 'second' },
    ],
  },
]

const SEED_AS_PRINTED = `{ history: 'Human: not much you\\nAI: not much' }
and as messages (returnMessages: true):
{
  history: [
    { role: 'user', content: 'not much you' },
    { role: 'assistant', content: 'not much' }
  ]
}
`

onEachDatabase('demo', (database) => {
  describe('without a file', () => {
    let first: Run
    let second: Run
    beforeAll(async () => {
      first = await demo('--database', database.url, '--turns', '300')
      second = await demo('--database', database.url, '--turns', '300')
    })

    it('names the database, and never its password', () => {
      expect(first.output).toContain(`Database: ${withoutCredentials(database.url)}\n`)
      if (database.name === 'sqlite') return
      const { password } = new URL(database.url)
      expect(password).not.toBe('')
      expect(first.output + first.errors).not.toContain(password)
    })

    it('prints the two turns as another process loads them', () => {
      expect(first).toMatchObject({ code: 0, errors: '' })
      expect(first.output).toContain(SEED_AS_PRINTED)
      const [, saver] = /Process (\d+) saved both turns/.exec(first.output) ?? []
      const [, loader] = /Process (\d+) loaded the newest/.exec(first.output) ?? []
      expect(Number(saver)).toBeGreaterThan(0)
      expect(Number(loader)).toBeGreaterThan(0)
      expect(loader).not.toBe(saver)
    })

    it('returns the same window from a short and a long conversation, and says what was left out', () => {
      const [short, long] = tableRows(first.output)
      expect(short?.[0]).toBe('100')
      expect(long?.[0]).toBe('300')
      const [, turns, tokens] = short ?? []
      expect(long?.slice(1, 3)).toEqual([turns, tokens])
      expect(Number(tokens?.replace(',', ''))).toBeGreaterThan(1800)
      expect(Number(tokens?.replace(',', ''))).toBeLessThanOrEqual(2000)
      expect(Number(short?.[3])).toBe(100 - Number(turns))
      expect(Number(long?.[3])).toBe(300 - Number(turns))
    })

    it('adds nothing when it runs again on a kept database', async () => {
      expect(second).toMatchObject({ code: 0, errors: '' })
      expect(second.output).toContain(SEED_AS_PRINTED)
      expect(second.output).toContain('300-turns: there already')
      expect(withoutLoads(second.output)).toEqual(withoutLoads(first.output))
      const listed = await (await database.open()).listConversations('backscroll-demo')
      const turnCounts = listed.map(({ conversationId, turnCount }) => [conversationId, turnCount])
      expect(Object.fromEntries(turnCounts)).toEqual({
        'two-turns': 2,
        talk: 7,
        '100-turns': 100,
        '300-turns': 300,
      })
    })
  })

  it('stores recorded conversations once, and shows what a model would be given of the latest', async () => {
    const file = fileOf(`${database.name}.jsonl`, RECORDS)
    const first = await demo('--database', database.url, '--limit', '100', file)
    expect(first).toMatchObject({ code: 0, errors: '' })
    expect(first.output).toContain('5 turns stored, 0 there already.')
    expect(first.output).toMatch(/ada, three\n2 of 2 turns given, \d+ tokens; left out: 0 turns, 0 tokens/)
    expect(first.output).toMatch(/ user +first\n +assistant +reply\n/)
    expect(first.output).toMatch(
      /bo, two\n0 of 1 turns given, 0 tokens; left out: 1 turns, 4\d\d tokens\nNot even the newest/,
    )
    expect(first.output).toMatch(/users +conversations +turns +tokens .*\n +2 +3 +5 +\d+ /)

    const again = await demo('--database', database.url, '--limit', '100', file)
    expect(again).toMatchObject({ code: 0, errors: '' })
    expect(again.output).toContain('0 turns stored, 5 there already.')

    const store = await database.open()
    const { turns, messages } = await store
      .conversation({ userId: 'ada', conversationId: 'one' })
      .loadWindow({ maxTokens: 1000 })
    expect(turns.map((turn) => turn.messages.length)).toEqual([5, 1])
    expect(messages).toEqual((RECORDS[0] as { messages: unknown }).messages)
  })
})

/** The cells of the rows that compare the two conversations. */
function tableRows(output: string): string[][] {
  const [, rows = ''] = /turns stored .*\n([^]*?)\n\n/.exec(output) ?? []
  return rows.split('\n').map((row) => row.trim().split(/ {2,}/))
}

function withoutLoads(output: string): string[][] {
  return tableRows(output).map((row) => row.slice(0, 5))
}

describe('demo', () => {
  it('shows tool calls, keeps terminal codes from the terminal, and its database when asked to', async () => {
    const { code, output } = await demo('--keep', fileOf('one.jsonl', [RECORDS[0]]))
    expect(code).toBe(0)
    expect(output).toMatch(/ assistant +→ find_seat\({"row":12}\)\n +tool +12C\n/)
    expect(output).toMatch(/ assistant +Welcome!\n +user +A seat, please now\n/)
    expect(output).not.toContain('\u001b')
    const [, made] = /Kept: sqlite:\S+(backscroll-demo-\w+)/.exec(output) ?? []
    expect(readdirSync(folder)).toContain(made)
  })

  it('removes the database that it made, also when it fails', async () => {
    const { code, output, errors } = await demo(fileOf('broken.jsonl', [RECORDS[3], `{"${CANARY}`]))
    expect(code).toBe(1)
    expect(errors).toMatch(/^demo: Line 2: not JSON [^\n]+\n$/)
    expect(output + errors).not.toContain(CANARY)
    const [, made] = /sqlite:\S+(backscroll-demo-\w+)/.exec(output) ?? []
    expect(made).toBeTypeOf('string')
    expect(readdirSync(folder)).not.toContain(made)
  })

  it('names line and turn of a message of an unknown role, never the content', async () => {
    const record = {
      user_id: 'ada',
      conversation_id: 'other',
      messages: [{ role: CANARY, content: CANARY }],
    }
    const { code, output, errors } = await demo(fileOf('wrong.jsonl', [RECORDS[3], record]))
    expect(code).toBe(1)
    expect(errors).toMatch(/^demo: Line 2: turn 1: messages\[0\]\.role must be [^\n]+\n$/)
    expect(output + errors).not.toContain(CANARY)
  })

  it('refuses wrong arguments with exit code 2', async () => {
    const { code, output, errors } = await demo('--limit', 'secret')
    expect({ code, output }).toEqual({ code: 2, output: '' })
    expect(errors).toBe('demo: --limit takes a whole number of 0 or more.\n')
  })

  it.each([
    ['an unknown option', ['--nonesuch=secret'], "Unknown option '--nonesuch'"],
    ['too few turns', ['--turns', '99'], '--turns takes a whole number of 100 or more'],
    ['turns with a file', ['--turns', '100', 'secret.jsonl'], '--turns has no use with FILE'],
    [
      'a database of another kind',
      ['--database', 'mysql://u:secret@host/db'],
      '--database takes sqlite:PATH',
    ],
    ['a database in memory', ['--database', 'sqlite://:memory:'], '--database takes sqlite:PATH'],
    ['a URL where the file belongs', ['postgres://u:secret@host/db'], 'Name a database with --database'],
    ['two files', ['secret', 'other'], 'Besides options it takes 1 argument; got 2'],
  ])('refuses %s, and does not repeat it', (_, args, reason) => {
    const parse = () => parseArguments(args)
    expect(parse).toThrow(WrongArgumentsError)
    expect(parse).toThrow(reason)
    expect(parse).not.toThrow('secret')
  })
})
