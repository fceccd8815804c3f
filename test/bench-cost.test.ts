import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { Tiktoken } from 'js-tiktoken/lite'
import o200k from 'js-tiktoken/ranks/o200k_base'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { recordedChats } from '../bench/cost/chats.ts'
import { MessageTokenizer } from '../bench/cost/message-tokens.ts'
import { PrefixCache } from '../bench/cost/prefix-cache.ts'
import { noUsage, replay, type Usage } from '../bench/cost/replay.ts'
import type { ConversationStore, Message } from '../src/index.ts'
import { onEachDatabase } from './support/databases.ts'
import { newestRetained } from './support/oracle.ts'
import { randomFrom, type Random } from './support/texts.ts'

describe('the cache of bench:cost', () => {
  it.each([
    [1023, 0],
    [1024, 1024],
    [1151, 1024],
    [1152, 1152],
  ])('serves of %i tokens that two requests share %i', (shared, served) => {
    const cache = new PrefixCache()
    const beginning = tokensOf(7, shared)
    expect(cache.send([[...beginning, 1]])).toBe(0)
    expect(cache.send([[...beginning, 2]])).toBe(served)
  })

  it('serves what any earlier request began with, not only the one before', () => {
    const [system, first, second] = [tokensOf(1, 600), tokensOf(2, 700), tokensOf(3, 800)] as const
    const cache = new PrefixCache()
    expect(cache.send([system, first])).toBe(0)
    expect(cache.send([system, second])).toBe(0)
    expect(cache.send([system, first, second])).toBe(1280)
  })
})

const tokenizer = new MessageTokenizer()
const SYSTEM = 'Answer in one sentence, and say so where you do not know. '.repeat(60)

onEachDatabase('bench:cost', (database) => {
  let store: ConversationStore
  beforeAll(async () => void (store = await database.open()))

  it('counts what a comparison of whole prompts counts, token by token', async () => {
    for (let seed = 1; seed <= 3; seed++) {
      const random = randomFrom(seed)
      const turns = Array.from({ length: 20 }, () => randomTurn(random))
      const windows = [700, 2500, 100_000].flatMap((maxTokens) =>
        [1, 0.75, 0].map((retentionRatio) => ({ maxTokens, retentionRatio, usage: noUsage() })),
      )
      const conversation = store.conversation({
        userId: 'ada',
        conversationId: `${seed}`,
        framing: 'chat',
      })
      await replay(conversation, turns, { windows, system: SYSTEM, tokenizer })
      for (const { usage, ...window } of windows) {
        expect(usage, `seed ${seed}, ${JSON.stringify(window)}`).toEqual(slowly(turns, window))
      }
    }
  })
})

/** The slow, obvious answer: each prompt as one list of token ids, compared with each that was sent before. */
function slowly(turns: readonly Message[][], window: { maxTokens: number; retentionRatio: number }): Usage {
  const usage = noUsage()
  const sent: number[][] = []
  for (const [index, turn] of turns.entries()) {
    const before = turns.slice(0, index)
    const kept = newestRetained(before, window.maxTokens, window.retentionRatio, (some) =>
      some.flat().reduce((sum, message) => sum + idsOf(message).length, 0),
    )
    const history = before.slice(index - kept).flat()
    usage.turns++
    if (kept < index) {
      usage.outgrownTurns++
      usage.outgrownHistoryTokens += ids(history).length
    }
    for (let replied = 0; replied < turn.length; replied++) {
      if (turn[replied]!.role !== 'assistant') continue
      const system: Message = { role: 'system', content: SYSTEM }
      const prompt = [
        ...ids([system, ...history, ...turn.slice(0, replied)]),
        900_001,
        ...encode('assistant'),
        900_002,
      ]
      let cached = 0
      for (const earlier of sent) {
        let shared = 0
        while (shared < prompt.length && prompt[shared] === earlier[shared]) shared++
        for (let size = 1024; size <= shared; size += 128) cached = Math.max(cached, size)
      }
      sent.push(prompt)
      usage.requests++
      usage.promptTokens += prompt.length
      usage.cachedTokens += cached
    }
  }
  return usage
}

/** Messages in chat form. */
function ids(messages: readonly Message[]): number[] {
  return messages.flatMap(idsOf)
}

/** A message in chat form: with three ids that no text has, and one more before a name. */
function idsOf(message: Message): number[] {
  const known = written.get(message) ?? [
    900_001,
    ...encode(message.role),
    ...('name' in message ? [900_003, ...encode(message.name!)] : []),
    900_002,
    ...encode((message.content as string | null) ?? ''),
    ...('tool_calls' in message ? encode(JSON.stringify(message.tool_calls)) : []),
    ...('tool_call_id' in message ? encode(message.tool_call_id) : []),
    900_004,
  ]
  written.set(message, known)
  return known
}

function encode(content: string): number[] {
  return tiktoken.encode(content, [], [])
}

const tiktoken = new Tiktoken(o200k)
const written = new WeakMap<Message, number[]>()

/** Half of what is said is said again and again, or begins alike: so prompts share more than whole messages. */
function randomTurn(random: Random): Message[] {
  const content = () => {
    const words = Array.from({ length: random.below(120) }, () =>
      random.pick(['tea', ' 茶', ' and', '\n', '.']),
    )
    return random.pick([
      'yes',
      STORY.slice(0, random.below(STORY.length)),
      words.join(''),
      `no ${words.join('')}`,
    ])
  }
  const question: Message = {
    role: 'user',
    content: content(),
    ...(random.below(4) === 0 ? { name: 'ada' } : {}),
  }
  const answer: Message = { role: 'assistant', content: content() }
  const id = `call_${random.below(3)}`
  const call = { id, type: 'function' as const, function: { name: 'search', arguments: '{}' } }
  const round: Message[] = [
    { role: 'assistant', content: null, tool_calls: [call] },
    { role: 'tool', tool_call_id: id, content: content() },
  ]
  return random.pick([
    [question, answer],
    [question, answer],
    [question, ...round, ...round, answer],
    [question],
  ])
}

const STORY = 'There was a kettle that sang when it boiled, and nobody knew the words. '.repeat(12)

function tokensOf(first: number, length: number): number[] {
  return Array.from({ length }, (_, index) => first * 10_000 + index)
}

describe('npm run bench:cost', () => {
  const folder = mkdtempSync(join(tmpdir(), 'backscroll-bench-test-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('lays the recorded conversations of a user end to end, cut into turns', async () => {
    const said = (content: string): Message => ({ role: 'user', content })
    const greeting: Message = { role: 'assistant', content: 'Hello!' }
    const records = [
      { user_id: 'ada', conversation_id: 'one', messages: [greeting, said('1'), said('2')] },
      { user_id: 'bo', conversation_id: 'two', messages: [said('3')] },
      { user_id: 'ada', conversation_id: 'three', messages: [said('4'), greeting] },
    ]
    const file = join(folder, 'recorded.jsonl')
    writeFileSync(file, records.map((record) => JSON.stringify(record)).join('\n'))
    expect(await recordedChats(file)).toEqual([
      { userId: 'ada', turns: [[greeting, said('1')], [said('2')], [said('4'), greeting]] },
      { userId: 'bo', turns: [[said('3')]] },
    ])
  })

  it('writes tables and plots, in which a lower ratio costs less', async () => {
    const main = fileURLToPath(new URL('../bench/cost/main.ts', import.meta.url))
    const out = join(folder, 'results')
    const child = spawn(process.execPath, ['--import', 'tsx', main, '--short', '--out', out])
    const [[code], output, errors] = await Promise.all([
      once(child, 'close'),
      text(child.stdout),
      text(child.stderr),
    ])
    expect(code, errors).toBe(0)
    expect(output).toContain('A short run')
    const files = ['cost-history.svg', 'cost-ratio.svg', 'cost.json', 'cost.md']
    expect(readdirSync(out).toSorted()).toEqual(files)
    const { tables } = JSON.parse(readFileSync(join(out, 'cost.json'), 'utf8')) as Results
    const rows = tables[2]?.rows.filter(({ limit }) => limit === 2000) ?? []
    expect(rows.map(({ ratio }) => ratio)).toEqual([1, 0.9, 0.75, 0.5])
    const bills = rows.map((row) => row['0.1: % of ratio 1']!)
    expect(bills[0]).toBe(100)
    // At 0.9 a step of 200 tokens is less than a turn, and saves nothing to speak of in so few turns.
    const [exact, , ...lower] = bills
    expect([exact, ...lower]).toEqual([exact, ...lower].toSorted((one, other) => other! - one!))
    expect(bills[3]).toBeLessThan(80)
  })
})

interface Results {
  readonly tables: readonly { readonly rows: readonly Readonly<Record<string, number>>[] }[]
}
