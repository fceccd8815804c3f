import { beforeAll, expect, it } from 'vitest'
import type { ConversationStore, Message } from '../src/index.ts'
import { onEachDatabase } from './support/databases.ts'
import { turnOf } from './support/inspect.ts'
import { newestRetained, newestThatFit, oracleCount, textTokens } from './support/oracle.ts'
import { hostileText, hostileTurn, randomFrom } from './support/texts.ts'

const ENCODING = 'cl100k_base'
const RATIOS = [0, 0.1, 0.5, 0.75, 0.9, 1]

onEachDatabase('retentionRatio', (database) => {
  let store: ConversationStore
  beforeAll(async () => void (store = await database.open()))

  it('keeps the turns behind the cut, and the newest whenever it fits, and is never over the limit', async () => {
    const tokens = textTokens(oracleCount(ENCODING))
    for (let seed = 1; seed <= 60; seed++) {
      const random = randomFrom(seed)
      const conversation = store.conversation({
        userId: 'ada',
        conversationId: `${seed}`,
        encoding: ENCODING,
      })
      const turns = Array.from({ length: random.below(13) }, () => hostileTurn(random))
      for (const turn of turns) await conversation.append(turn)
      const total = tokens(turns)
      const limits = [0, random.below(total + 2), random.below(total + 2), tokens(turns.slice(-2)), total]
      for (const retentionRatio of RATIOS) {
        for (const maxTokens of limits) {
          const label = `seed ${seed}, ratio ${retentionRatio}, limit ${maxTokens}`
          const kept = newestRetained(turns, maxTokens, retentionRatio, tokens)
          const window = await conversation.loadWindow({ maxTokens, retentionRatio })
          const newest = turns.slice(turns.length - kept)
          expect(window, label).toMatchObject({
            messages: newest.flat(),
            tokenCount: tokens(newest),
            omittedTurns: turns.length - kept,
          })
          expect(window.tokenCount, label).toBeLessThanOrEqual(maxTokens)
          const newestFits = turns.length > 0 && tokens(turns.slice(-1)) <= maxTokens
          expect(window.turns.length > 0, label).toBe(newestFits)
        }
      }
    }
  })

  it('moves the start of the window by whole steps, and leaves it where it is in between', async () => {
    // A turn costs 9 tokens when another follows and 8 as the newest one, so n turns are 9n - 1. A step is 45: five turns.
    const conversation = store.conversation({ userId: 'ada', conversationId: 'steps', encoding: ENCODING })
    const starts: (number | undefined)[] = []
    for (let n = 1; n <= 21; n++) {
      expect(await conversation.append(turnOf('hi', 'whats up'))).toMatchObject({ tokenCount: 9 })
      const window = await conversation.loadWindow({ maxTokens: 90, retentionRatio: 0.5 })
      expect(window.tokenCount).toBe(9 * window.turns.length - 1)
      starts.push(window.turns[0]?.position)
    }
    expect(starts).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 6, 6, 6, 6, 6, 11, 11, 11, 11, 11, 16])
  })

  it('leaves the start where it is until a step of new tokens has come, whatever the turns cost', async () => {
    const tokens = textTokens(oracleCount(ENCODING))
    for (const [index, retentionRatio] of [0.3, 0.5, 0.75, 0.9].entries()) {
      const seed = 900 + index
      const random = randomFrom(seed)
      const conversation = store.conversation({
        userId: 'ada',
        conversationId: `${seed}`,
        encoding: ENCODING,
      })
      const maxTokens = 500
      const kept = Math.ceil(maxTokens * retentionRatio)
      const turns: Message[][] = []
      let start = 1
      // The start may move when the history first outgrows this, which then rises by whole steps.
      let bound = maxTokens
      for (let position = 1; position <= 40; position++) {
        const turn = turnOf(hostileText(random), hostileText(random))
        // A newest turn bigger than what is kept would be shown alone, and leave again.
        expect(tokens([turn])).toBeLessThan(kept)
        turns.push(turn)
        await conversation.append(turn)
        const window = await conversation.loadWindow({ maxTokens, retentionRatio })
        const label = `seed ${seed}, ratio ${retentionRatio}, turn ${position}`
        const total = tokens(turns)
        if (total <= bound) expect(window.turns[0]?.position, label).toBe(start)
        start = window.turns[0]!.position
        while (bound < total) bound += maxTokens - kept
      }
      expect(start).toBeGreaterThan(1)
    }
  })

  it('keeps a newest turn that fits even when the cut falls inside it', async () => {
    const encoding = ENCODING
    const conversation = store.conversation({ userId: 'ada', conversationId: 'inside', encoding })
    await conversation.append(turnOf('hi', 'whats up'))
    const big = turnOf('Tell me more.', 'and so on '.repeat(40))
    await conversation.append(big)
    const size = oracleCount(encoding)(`Human: Tell me more.\nAI: ${'and so on '.repeat(40)}`)
    // 9 tokens before it; at ratio 0 a step is the limit, so that the cut is at `size`, far inside the turn.
    const kept = { messages: big, tokenCount: size, omittedTurns: 1, omittedTokens: 9 }
    expect(await conversation.loadWindow({ maxTokens: size, retentionRatio: 0 })).toMatchObject(kept)
    expect(await conversation.loadWindow({ maxTokens: size - 1, retentionRatio: 0 })).toMatchObject({
      messages: [],
      tokenCount: 0,
      omittedTurns: 2,
    })
  })

  it('is the exact window at 1, which is the default, and where a step would be no token', async () => {
    const tokens = textTokens(oracleCount(ENCODING))
    const random = randomFrom(77)
    const turns = Array.from({ length: 10 }, () => hostileTurn(random))
    const conversation = store.conversation({ userId: 'ada', conversationId: 'exact', encoding: ENCODING })
    for (const turn of turns) await conversation.append(turn)
    for (let maxTokens = 0; maxTokens <= tokens(turns) + 1; maxTokens++) {
      const kept = newestThatFit(turns, maxTokens, tokens)
      const exact = await conversation.loadWindow({ maxTokens })
      expect(exact.turns.length, `limit ${maxTokens}`).toBe(kept)
      expect(await conversation.loadWindow({ maxTokens, retentionRatio: 1 })).toEqual(exact)
      // the limit times this is rounded up to the limit
      expect(await conversation.loadWindow({ maxTokens, retentionRatio: 0.9999 })).toEqual(exact)
    }
  })

  it.each([-0.1, 1.1, Number.NaN, '0.5', null])('refuses the ratio %s', async (retentionRatio) => {
    const conversation = store.conversation({ userId: 'ada', conversationId: 'refused', encoding: ENCODING })
    const load = conversation.loadWindow({ maxTokens: 10, retentionRatio: retentionRatio as number })
    await expect(load).rejects.toMatchObject({ name: 'InvalidLimitError', code: 'INVALID_LIMIT' })
  })
})
