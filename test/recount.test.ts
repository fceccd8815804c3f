import { beforeAll, describe, expect, it } from 'vitest'
import {
  textFraming,
  type Conversation,
  type ConversationOptions,
  type ConversationStore,
  type EncodingName,
  type Message,
} from '../src/index.ts'
import { loadEncoder } from '../src/tokens/encoder.ts'
import { toFraming } from '../src/tokens/framing.ts'
import { onEachDatabase } from './support/databases.ts'
import { expectConsistent, oneTo, runSql, turnOf } from './support/inspect.ts'
import { chatTokens, oracleCount, render, textTokens } from './support/oracle.ts'
import { hostileText, randomFrom } from './support/texts.ts'

type Rule = Pick<ConversationOptions, 'encoding' | 'framing'>

/** The rule that the old conversations were written under. It counts hostile texts otherwise than each of the others. */
const OLD: Rule = { encoding: 'gpt2', framing: 'text' }

const OTHER_RULES: [what: string, rule: Rule][] = [
  ['another encoding', { encoding: 'o200k_base', framing: 'text' }],
  [
    'other prefixes',
    { encoding: 'gpt2', framing: textFraming({ humanPrefix: 'A person', aiPrefix: '机器人' }) },
  ],
  ['chat framing', { encoding: 'gpt2', framing: 'chat' }],
  ['another encoding and framing', { encoding: 'cl100k_base', framing: 'chat' }],
]

const IMAGE: Message = {
  role: 'user',
  content: [{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }],
}

onEachDatabase('a conversation that was counted under another rule', (database) => {
  let store: ConversationStore
  let made = 0
  beforeAll(async () => {
    store = await database.open()
    // So that no race below is decided by who has to wait for an encoder.
    await Promise.all(
      (['gpt2', 'cl100k_base', 'o200k_base'] as const).map((encoding) => loadEncoder(encoding)),
    )
  })

  /** A conversation of its own with hostile turns in it, the last of them under an idempotency key. */
  async function oldConversation(turnCount = 6): Promise<{ id: string; turns: Message[][] }> {
    const random = randomFrom(made)
    const id = `old ${made++}`
    const turns = Array.from({ length: turnCount }, () =>
      turnOf(`${hostileText(random)}漢字`, hostileText(random)),
    )
    for (const [at, turn] of turns.entries()) {
      await open(id, OLD).append(turn, at === turnCount - 1 ? { idempotencyKey: 'last' } : {})
    }
    return { id, turns }
  }

  function open(conversationId: string, rule: Rule, countPart?: () => number): Conversation {
    return store.conversation({ userId: 'ada', conversationId, countPart, ...rule })
  }

  /** Reads the rows past the store: every one of them is counted by the rule, and the totals are their sums. */
  async function expectCounted(id: string, rule: Rule, turns: readonly Message[][]): Promise<void> {
    const rows = await expectConsistent(database, { userId: 'ada', conversationId: id })
    expect(rows.map(({ tokens }) => tokens)).toEqual(turns.map((turn) => tokensOf(turn, rule)))
    const heads = await runSql(database, `select encoding from backscroll_conversations where id = '${id}'`)
    expect(heads).toEqual([{ encoding: rule.encoding }])
  }

  describe.each(OTHER_RULES)('%s', (_, rule) => {
    it('is counted anew before a window is loaded', async () => {
      const { id, turns } = await oldConversation()
      const [listed] = await store.listConversations('ada', { limit: 1 })
      const tokens = turns.slice(-2).reduce((sum, turn, at) => sum + tokensOf(turn, rule, at === 1), 0)
      const window = await open(id, rule).loadWindow({ maxTokens: tokens })
      expect(window).toMatchObject({ messages: turns.slice(-2).flat(), tokenCount: tokens, omittedTurns: 4 })
      await expectCounted(id, rule, turns)
      // Only counts were written: the conversation does not move up in its user's list.
      const [after] = await store.listConversations('ada', { limit: 1 })
      expect(after).toMatchObject({ conversationId: id, updatedAt: listed!.updatedAt })
    })

    it('is counted anew before turns are listed', async () => {
      const { id, turns } = await oldConversation()
      const listed = await open(id, rule).listTurns({ after: 2, limit: 2 })
      expect(listed.map(({ position, tokenCount }) => [position, tokenCount])).toEqual([
        [3, tokensOf(turns[2]!, rule)],
        [4, tokensOf(turns[3]!, rule)],
      ])
      await expectCounted(id, rule, turns)
    })

    it('is counted anew before a turn is found by its key', async () => {
      const { id, turns } = await oldConversation()
      expect(await open(id, rule).findTurn('last')).toMatchObject({
        position: 6,
        tokenCount: tokensOf(turns[5]!, rule),
      })
      await expectCounted(id, rule, turns)
    })

    it('is left as it is by whoever asks how it was counted, and opens it so', async () => {
      const { id, turns } = await oldConversation()
      await open(id, OLD).recount(rule)
      const recorded = await open(id, OLD).countedAs()
      expect(recorded).toEqual({ encoding: rule.encoding, framing: toFraming(rule.framing) })
      await store
        .conversation({ userId: 'ada', conversationId: id, ...recorded })
        .loadWindow({ maxTokens: 9 })
      await expectCounted(id, rule, turns)
    })

    it('is counted anew before a turn is appended', async () => {
      const { id, turns } = await oldConversation()
      const turn = turnOf('and now', '漢字 again')
      const stored = await open(id, rule).append(turn, { expectedPosition: 6 })
      const all = [...turns, turn]
      const total = all.reduce((sum, each) => sum + tokensOf(each, rule), 0)
      expect(stored).toMatchObject({ position: 7, tokenCount: tokensOf(turn, rule), cumulativeTokens: total })
      await expectCounted(id, rule, all)
    })

    it('is counted anew before a keyed append is replayed', async () => {
      const { id, turns } = await oldConversation()
      const stored = await open(id, rule).append(turns[5]!, { idempotencyKey: 'last' })
      expect(stored).toMatchObject({ position: 6, tokenCount: tokensOf(turns[5]!, rule), replayed: true })
      await expectCounted(id, rule, turns)
    })

    it('is counted anew by recount, and its object counts so from then on', async () => {
      const { id, turns } = await oldConversation()
      const conversation = open(id, OLD)
      expect(await conversation.recount(rule)).toEqual({ turns: 6 })
      await expectCounted(id, rule, turns)
      const turn = turnOf('and now', '漢字 again')
      expect(await conversation.append(turn)).toMatchObject({ tokenCount: tokensOf(turn, rule) })
      await expectCounted(id, rule, [...turns, turn])
    })
  })

  const NEW: Rule = { encoding: 'o200k_base', framing: 'text' }

  it('does not tell how a conversation was counted that is not there, or was changed by something else', async () => {
    expect(await open('none', OLD).countedAs()).toBeUndefined()
    for (const [column, value] of [
      ['encoding', 'o900k'],
      ['framing', 'text'],
      ['framing', 'text ["", "AI"]'],
      ['framing', 'text {'],
    ] as const) {
      const { id } = await oldConversation(1)
      await runSql(database, `update backscroll_conversations set ${column} = '${value}' where id = '${id}'`)
      await expect(open(id, OLD).countedAs(), value).rejects.toMatchObject({ code: 'CORRUPT_DATA' })
    }
  })

  it('is counted in one go however long it is', async () => {
    const { id, turns } = await oldConversation(450)
    const tokens = textTokens(oracleCount('o200k_base'))
    const window = await open(id, NEW).loadWindow({ maxTokens: tokens(turns.slice(-300)) })
    expect(window.omittedTurns).toBe(150)
    expect(window.tokenCount).toBe(tokens(turns.slice(-300)))
    await expectCounted(id, NEW, turns)
  })

  it('keeps its positions and its gaps after a rewind', async () => {
    const { id, turns } = await oldConversation()
    await open(id, NEW).rewind({ to: 4 })
    await open(id, NEW).append(turns[5]!)
    const stored = await open(id, NEW).listTurns()
    expect(stored.map(({ position }) => position)).toEqual([1, 2, 3, 4, 7])
    await expectCounted(id, NEW, [...turns.slice(0, 4), turns[5]!])
    const tokens = textTokens(oracleCount('o200k_base'))
    expect(await open(id, NEW).loadWindow({ maxTokens: 8000 })).toMatchObject({
      tokenCount: tokens([...turns.slice(0, 4), turns[5]!]),
      omittedTurns: 0,
    })
  })

  it('takes the new rule when nothing is left to count', async () => {
    const { id, turns } = await oldConversation()
    await open(id, OLD).clear()
    expect(await open(id, NEW).loadWindow({ maxTokens: 8000 })).toMatchObject({ turns: [], tokenCount: 0 })
    await open(id, NEW).append(turns[0]!)
    await expectCounted(id, NEW, [turns[0]!])
    expect(await open('never written', NEW).recount()).toEqual({ turns: 0 })
  })

  it('has its counts put right by recount when something else changed them', async () => {
    const { id, turns } = await oldConversation()
    await runSql(
      database,
      `update backscroll_turns set token_count = 1, closing_token_count = 2, cumulative_tokens = position where conversation_id = '${id}'`,
    )
    await runSql(database, `update backscroll_conversations set total_tokens = 6 where id = '${id}'`)
    expect(await open(id, OLD).recount()).toEqual({ turns: 6 })
    await expectCounted(id, OLD, turns)
  })

  it('keeps its old counts, all of them, when a part has no count under the new rule', async () => {
    const { id, turns } = await oldConversation()
    await open(id, OLD).append([IMAGE])
    const chat = { encoding: 'o200k_base', framing: 'chat' } as const
    for (const use of [
      (conversation: Conversation) => conversation.loadWindow({ maxTokens: 8000 }),
      (conversation: Conversation) => conversation.append(turnOf('more')),
      (conversation: Conversation) => conversation.recount(),
    ]) {
      await expect(use(open(id, chat))).rejects.toMatchObject({ code: 'MISSING_TOKEN_COUNT' })
    }
    await expectCounted(id, OLD, [...turns, [IMAGE]])

    const { tokenCount } = await open(id, chat, () => 85).loadWindow({ maxTokens: 8000 })
    expect(tokenCount).toBe(chatTokens([...turns.flat(), IMAGE], oracleCount('o200k_base'), () => 85))
  })

  it('never has mixed counts or wrong totals when many append while it is counted anew', async () => {
    const { id, turns } = await oldConversation(60)
    const added = oneTo(40).map((number) => turnOf(`漢字 ${number}`, '+-+-'))
    const recounts = oneTo(5).map(() => open(id, NEW).recount())
    const stored = await Promise.all(added.map((turn) => open(id, NEW).append(turn)))
    await Promise.all(recounts)

    expect(stored.map(({ position }) => position).sort((a, b) => a - b)).toEqual(oneTo(100).slice(60))
    const inOrder = [...stored].sort((a, b) => a.position - b.position).map(({ messages }) => messages)
    const all = [...turns, ...inOrder]
    await expectCounted(id, NEW, all)
    let total = 0
    const totals = all.map((turn) => (total += tokensOf(turn, NEW)))
    const listed = await open(id, NEW).listTurns()
    expect(listed.map(({ cumulativeTokens }) => cumulativeTokens)).toEqual(totals)
    // What each append was told is what is there: none was counted before the recount and answered after it.
    for (const { position, cumulativeTokens } of stored) expect(cumulativeTokens).toBe(totals[position - 1])
  })

  it('never has mixed counts when turns are dropped while it is counted anew', async () => {
    const { id, turns } = await oldConversation(40)
    await Promise.all([
      open(id, NEW).recount(),
      open(id, NEW).rewind({ to: 30 }),
      open(id, NEW).loadWindow({ maxTokens: 100 }),
      open(id, NEW).rewind({ to: 20 }),
      open(id, NEW).recount(),
    ])
    await expectCounted(id, NEW, turns.slice(0, 20))
  })

  it('answers each of two rules by its own counts when both are used at once', async () => {
    const { id } = await oldConversation(8)
    const use = async (encoding: EncodingName) => {
      const tokens = textTokens(oracleCount(encoding))
      for (let round = 0; round < 8; round++) {
        const { turns, tokenCount } = await open(id, { encoding }).loadWindow({ maxTokens: 150 })
        expect(tokenCount).toBe(tokens(turns.map(({ messages }) => messages)))
        const turn = turnOf(`漢字 ${round}`, encoding)
        expect(await open(id, { encoding }).append(turn)).toMatchObject({
          tokenCount: tokensOf(turn, { encoding }),
        })
      }
    }
    await Promise.all([use('gpt2'), use('o200k_base')])
    await open(id, NEW).listTurns()
    const rows = await expectConsistent(database, { userId: 'ada', conversationId: id })
    expect(rows.map(({ position }) => position)).toEqual(oneTo(24))
  })

  /** Takes some 400 ms to count, in slices of 8: what is started meanwhile is done long before. */
  const LONG = '漢字 '.repeat(200_000)

  it('counts a turn that its own object was counting when recount changed the rule by the new rule', async () => {
    const { id } = await oldConversation(3)
    const conversation = open(id, OLD)
    const order: string[] = []
    const [stored] = await Promise.all([
      conversation.append(turnOf('long', LONG)).finally(() => order.push('appended')),
      conversation.recount(NEW).finally(() => order.push('recounted')),
    ])
    // Else nothing was shown: the turn has to be under way when the rule changes.
    expect(order).toEqual(['recounted', 'appended'])
    const rows = await expectConsistent(database, { userId: 'ada', conversationId: id })
    expect(rows.map(({ position }) => position)).toEqual([1, 2, 3, 4])

    await open(id, NEW).recount()
    expect(await expectConsistent(database, { userId: 'ada', conversationId: id })).toEqual(rows)
    expect(stored.tokenCount).toBe(rows[3]!.tokens)
  })

  it('does not take the counts of a conversation that was erased and begun anew meanwhile', async () => {
    const userId = 'erased'
    const options = { userId, conversationId: 'a', encoding: 'gpt2' } as const
    await store.conversation(options).append([IMAGE, { role: 'assistant', content: LONG }])
    const order: string[] = []
    const anew = [{ role: 'user', content: 'short' } as const]
    let replaced: Promise<unknown> | undefined
    const countPart = () => {
      replaced ??= store
        .forgetUser(userId)
        .then(() => store.conversation(options).append(anew))
        .then(() => order.push('replaced'))
      return 85
    }
    const chat = store.conversation({ ...options, framing: 'chat', countPart })
    await chat.recount().finally(() => order.push('recounted'))
    await replaced
    // Else nothing was shown: the other conversation has to be there when the counts are written.
    expect(order).toEqual(['replaced', 'recounted'])
    expect(await chat.loadWindow({ maxTokens: 8000 })).toMatchObject({
      messages: anew,
      tokenCount: chatTokens(anew, oracleCount('gpt2')),
    })
  })
})

/** What a turn costs under a rule when another follows it, or as the newest one. */
function tokensOf(
  turn: readonly Message[],
  { encoding = 'o200k_base', framing = 'text' }: Rule,
  newest = false,
): number {
  const count = oracleCount(encoding)
  if (framing === 'chat') return chatTokens(turn, count)
  const text = render(turn, typeof framing === 'object' && framing.kind === 'text' ? framing : undefined)
  return newest ? count(text) : count(`${text}\nHuman`) - count('Human')
}
