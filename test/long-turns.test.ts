import { describe, expect, it } from 'vitest'
import { openStore } from '../src/index.ts'
import { loadEncoder } from '../src/tokens/encoder.ts'
import { atOnce } from '../src/tokens/steps.ts'
import { onEachDatabase } from './support/databases.ts'
import { expectConsistent, turnOf } from './support/inspect.ts'

const RUNS = { 'the letter a': 'a', Chinese: '一', spaces: ' ', dashes: '-' }

const runOf = (letter: string, bytes: number) => letter.repeat(Math.ceil(bytes / Buffer.byteLength(letter)))

onEachDatabase('a turn of 100 KB without a break', (database) => {
  it.each(Object.entries(RUNS))('of %s is stored, and costs what its rendering has', async (name, letter) => {
    const key = { userId: 'ada', conversationId: name }
    const conversation = (await database.open()).conversation(key)
    const turn = turnOf(runOf(letter, 100_000))
    await conversation.append(turn)
    // js-tiktoken takes minutes for it; test/tokens/encoder.test.ts holds our encoder against plain BPE instead.
    const encoder = await loadEncoder('o200k_base')
    const tokenCount = atOnce(encoder.count(`Human: ${turn[0]!.content as string}\nAI: Noted.`))
    expect(await conversation.loadWindow({ maxTokens: tokenCount })).toMatchObject({
      messages: turn,
      tokenCount,
    })
    expect((await conversation.loadWindow({ maxTokens: tokenCount - 1 })).turns).toEqual([])
    expect(await expectConsistent(database, key)).toHaveLength(1)
  })
})

describe('a turn of 500 KB without a break', () => {
  // On a database that answers at once: waiting for another would let others run as well.
  it.each(Object.entries(RUNS))('of %s leaves others their turns of the event loop', async (name, letter) => {
    await using store = await openStore('sqlite::memory:')
    const conversation = store.conversation({ userId: 'ada', conversationId: name })
    await conversation.append(turnOf('The encoder is loaded.'))
    let turns = 0
    const turn = () => {
      turns++
      next = setImmediate(turn)
    }
    let next = setImmediate(turn)
    await conversation.append(turnOf(runOf(letter, 500_000)))
    clearImmediate(next)
    expect(turns).toBeGreaterThan(2)
  })
})
