import { beforeAll, describe, expect, it } from 'vitest'
import {
  textFraming,
  type ContentPart,
  type ConversationStore,
  type Message,
  type UserPart,
} from '../src/index.ts'
import { countTurn, type TurnCount } from '../src/tokens/count.ts'
import { loadEncoder, type Encoder } from '../src/tokens/encoder.ts'
import { renderText } from '../src/tokens/render.ts'
import { atOnce } from '../src/tokens/steps.ts'
import { onEachDatabase } from './support/databases.ts'
import { chatTokens, oracleCount, render, type Count } from './support/oracle.ts'
import { HOSTILE, hostileTurn, randomFrom, type Random } from './support/texts.ts'

const IMAGE: UserPart = { type: 'image_url', image_url: { url: 'https://example.com/a.png' } }
const AUDIO: UserPart = { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }
const FILE: UserPart = { type: 'file', file: { file_id: 'file-1' } }
const TEXT_FRAMING = textFraming()

describe('the rendered history', () => {
  it('is one line a message, with the prefix of who speaks', () => {
    const messages: Message[] = [
      { role: 'system', content: 'Be brief.' },
      { role: 'developer', content: 'Be kind.' },
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: 'whats up' },
      { role: 'tool', tool_call_id: 'call_1', content: '42' },
    ]
    expect(renderText(messages, TEXT_FRAMING)).toBe(
      'System: Be brief.\nSystem: Be kind.\nHuman: hi\nAI: whats up\nTool: 42',
    )
    expect(renderText(messages.slice(2, 4), textFraming({ humanPrefix: 'Me', aiPrefix: '机器人' }))).toBe(
      'Me: hi\n机器人: whats up',
    )
    expect(renderText([], TEXT_FRAMING)).toBe('')
  })

  it('leaves contents as they are: spaces, line breaks, lines that look like another message', () => {
    const content = ' \r\n  a\0\ufeff\ud800\nAI: not me\n\n '
    expect(renderText([{ role: 'user', content }], TEXT_FRAMING)).toBe(`Human: ${content}`)
    expect(renderText([{ role: 'user', content: '' }], TEXT_FRAMING)).toBe('Human: ')
  })

  it('has tool calls as JSON directly after the content', () => {
    const tool_calls = [
      { id: 'call_1', type: 'function' as const, function: { name: 'look_up', arguments: '{"q": "é"}' } },
    ]
    const json =
      '[{"id":"call_1","type":"function","function":{"name":"look_up","arguments":"{\\"q\\": \\"é\\"}"}}]'
    for (const [content, shown] of [
      ['Wait.', 'Wait.'],
      [null, ''],
      [undefined, ''],
      ['', ''],
    ] as const) {
      const message = {
        role: 'assistant',
        tool_calls,
        ...(content === undefined ? {} : { content }),
      } as const
      expect(renderText([message], TEXT_FRAMING)).toBe(`AI: ${shown}${json}`)
    }
  })

  it('takes null and an empty list of tool calls for none, as some servers send it', () => {
    const plain: Message = { role: 'assistant', content: 'hi' }
    for (const sent of [
      { ...plain, tool_calls: null, refusal: null, name: null },
      { ...plain, tool_calls: [] },
    ] as unknown as Message[]) {
      expect(renderText([sent], TEXT_FRAMING)).toBe('AI: hi')
    }
  })

  it('joins text parts and names the others', () => {
    const content: UserPart[] = [
      { type: 'text', text: 'a ' },
      IMAGE,
      { type: 'text', text: 'b' },
      AUDIO,
      FILE,
    ]
    expect(renderText([{ role: 'user', content }], TEXT_FRAMING)).toBe('Human: a [image]b[audio][file]')
    expect(renderText([{ role: 'user', content: [] }], TEXT_FRAMING)).toBe('Human: ')
  })
})

describe.each(['gpt2', 'p50k_base', 'cl100k_base', 'o200k_base'] as const)(
  'text framing under %s',
  (encoding) => {
    it('adds up to what the joined string has, with any prefixes that are taken and any contents', async () => {
      const encoder = await loadEncoder(encoding)
      const count = oracleCount(encoding)
      for (let seed = 1; seed <= 500; seed++) {
        const random = randomFrom(seed)
        const framing = textFraming({ humanPrefix: takenPrefix(random), aiPrefix: takenPrefix(random) })
        const turns = Array.from({ length: 1 + random.below(4) }, () => hostileTurn(random))
        const counts = turns.map((turn) =>
          atOnce(countTurn(turn, encoder, { encoding, framing, countPart: undefined })),
        )
        const { closingTokenCount } = counts.at(-1)!
        const sum = counts
          .slice(0, -1)
          .reduce((total, { tokenCount }) => total + tokenCount, closingTokenCount)
        expect(sum, `seed ${seed}`).toBe(count(render(turns.flat(), framing)))
      }
    })
  },
)

describe('textFraming', () => {
  it.each([
    ...['', '/', '/u', ' x', '\tx', '\nU', '\rU', '\r\nU', '\u00a0x', '\u2028x', '\u3000x', '\ufeffx'],
    ...['a\nb', 'a\rb', 'a\n', '\ud800', 'a\ud800', '\udfffa', 7, null, {}],
  ])('refuses the prefix %j, on either side', (prefix) => {
    const refused = expect.objectContaining({ name: 'InvalidFramingError', code: 'INVALID_FRAMING' })
    expect(() => textFraming({ humanPrefix: prefix as string })).toThrow(refused)
    expect(() => textFraming({ aiPrefix: prefix as string })).toThrow(refused)
  })

  it('keeps a refused prefix out of its message', () => {
    expect(() => textFraming({ humanPrefix: ' my secret' })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    )
  })
})

describe.each(['cl100k_base', 'o200k_base'] as const)('chat framing under %s', (encoding) => {
  let encoder: Encoder
  let count: Count
  beforeAll(async () => {
    encoder = await loadEncoder(encoding)
    count = oracleCount(encoding)
  })
  const chat = (messages: readonly Message[], countPart?: (part: ContentPart) => number): TurnCount =>
    atOnce(countTurn(messages, encoder, { encoding, framing: { kind: 'chat' }, countPart }))

  it('costs 3 tokens a message besides its role and its content', () => {
    // user 1, hi 1; assistant 1, wh ats up 3
    const messages: Message[] = [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: 'whats up' },
    ]
    expect(chat(messages)).toEqual({ tokenCount: 5 + 7, closingTokenCount: 5 + 7 })
    expect(chat([{ role: 'user', content: '' }]).tokenCount).toBe(4)
    expect(chat([{ role: 'assistant', content: null }]).tokenCount).toBe(4)
  })

  it('costs a name 1 token more than its text', () => {
    expect(chat([{ role: 'user', name: 'user', content: 'hi' }]).tokenCount).toBe(5 + 1 + 1)
  })

  it('is the sum over the messages, whatever they hold', () => {
    const countPart = (part: ContentPart) => (part.type === 'image_url' ? 85 : part.type === 'file' ? 0 : 7)
    for (let seed = 1; seed <= 500; seed++) {
      const turn = hostileTurn(randomFrom(seed))
      const tokens = chatTokens(turn, count, countPart)
      expect(chat(turn, countPart), `seed ${seed}`).toEqual({ tokenCount: tokens, closingTokenCount: tokens })
    }
  })

  it('joins text parts before it counts them', () => {
    const content: UserPart[] = [{ type: 'text', text: 'ta' }, IMAGE, { type: 'text', text: 'ble' }]
    expect(chat([{ role: 'user', content }], () => 0).tokenCount).toBe(4 + count('table'))
    expect(count('table')).not.toBe(count('ta') + count('ble'))
  })

  it('asks for each part that is not text, and for no other', () => {
    const asked: ContentPart[] = []
    const countPart = (part: ContentPart) => 10 ** asked.push(part)
    const content: UserPart[] = [IMAGE, { type: 'text', text: 'hi' }, AUDIO, FILE]
    expect(chat([{ role: 'user', content }], countPart).tokenCount).toBe(5 + 10 + 100 + 1000)
    expect(asked).toEqual([IMAGE, AUDIO, FILE])
  })
})

onEachDatabase('a reply with null for what it does not have', (database) => {
  it('is stored as it came, and costs what a reply without these fields costs', async () => {
    const store = await database.open()
    const plain: Message = { role: 'assistant', content: 'hi' }
    const sent = { ...plain, tool_calls: null, refusal: null, name: null } as unknown as Message
    for (const framing of ['text', 'chat'] as const) {
      const conversation = store.conversation({ userId: 'ada', conversationId: framing, framing })
      const { tokenCount } = await conversation.append([plain])
      expect(await conversation.append([sent])).toMatchObject({ tokenCount, messages: [sent] })
    }
  })
})

onEachDatabase('content that is not text', (database) => {
  let store: ConversationStore
  beforeAll(async () => void (store = await database.open()))

  const picture: Message[] = [{ role: 'user', content: [{ type: 'text', text: 'What is this?' }, IMAGE] }]

  it('is refused under chat framing without a countPart, and nothing is written', async () => {
    const conversation = store.conversation({ userId: 'missing', conversationId: 'a', framing: 'chat' })
    await expect(conversation.append(picture)).rejects.toMatchObject({
      name: 'MissingTokenCountError',
      code: 'MISSING_TOKEN_COUNT',
      message: expect.stringContaining('countPart'),
    })
    await expectNothingWritten('missing')
  })

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '85', null, undefined, Promise.resolve(85)])(
    'is refused when countPart says %s, and nothing is written',
    async (tokens) => {
      const countPart = () => tokens as number
      const conversation = store.conversation({
        userId: 'bad',
        conversationId: 'a',
        framing: 'chat',
        countPart,
      })
      await expect(conversation.append(picture)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('countPart'),
      })
      await expectNothingWritten('bad')
    },
  )

  it('is not written when countPart fails', async () => {
    const countPart = () => {
      throw new RangeError('no such image')
    }
    const conversation = store.conversation({
      userId: 'failing',
      conversationId: 'a',
      framing: 'chat',
      countPart,
    })
    await expect(conversation.append(picture)).rejects.toThrow(new RangeError('no such image'))
    await expectNothingWritten('failing')
  })

  it('costs under chat framing what countPart says, and is read back', async () => {
    const count = oracleCount('o200k_base')
    const countPart = () => 765
    const conversation = store.conversation({
      userId: 'ada',
      conversationId: 'chat',
      framing: 'chat',
      countPart,
    })
    const { tokenCount } = await conversation.append(picture)
    expect(tokenCount).toBe(3 + 1 + count('What is this?') + 765)
    expect(await conversation.loadWindow({ maxTokens: tokenCount })).toMatchObject({
      messages: picture,
      tokenCount,
    })
    expect(await conversation.loadWindow({ maxTokens: tokenCount - 1 })).toMatchObject({
      messages: [],
      tokenCount: 0,
    })
  })

  it('costs under text framing what its placeholder costs, without a countPart', async () => {
    const conversation = store.conversation({ userId: 'ada', conversationId: 'text' })
    await conversation.append(picture)
    const { tokenCount } = await conversation.loadWindow({ maxTokens: 100 })
    expect(tokenCount).toBe(oracleCount('o200k_base')('Human: What is this?[image]'))
  })

  async function expectNothingWritten(userId: string): Promise<void> {
    expect(await store.listConversations(userId)).toEqual([])
  }
})

/** A random prefix of those that the rules allow. */
function takenPrefix(random: Random): string {
  for (;;) {
    const prefix = Array.from({ length: 1 + random.below(3) }, () => random.pick(HOSTILE)).join('')
    if (/^[^\s/]/u.test(prefix) && !/[\r\n]/.test(prefix) && prefix.isWellFormed()) return prefix
  }
}
