import * as fc from 'fast-check'
import { createRequire } from 'node:module'
import { Tiktoken } from 'js-tiktoken/lite'
import type { TiktokenBPE } from 'js-tiktoken/lite'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { loadEncoder, loadEncoderSync } from '../../src/tokens/encoder.ts'
import type { Encoder } from '../../src/tokens/encoder.ts'
import { ENCODINGS } from '../../src/tokens/encodings.ts'
import { mergeInSteps, mergeNow } from '../../src/tokens/merge.ts'
import { Ranks } from '../../src/tokens/ranks.ts'
import { atOnce, inSlices } from '../../src/tokens/steps.ts'
import type { Steps } from '../../src/tokens/steps.ts'

const require = createRequire(import.meta.url)

/** Pieces of text where tokenizers have gone wrong before, or could. */
const FRAGMENTS = [
  ...[
    'hello',
    ' world',
    'Human',
    'JSON.stringify',
    'XMLHttpRequest',
    'iOS',
    'don',
    "'t",
    "'re",
    "'LL",
    "'ſ",
    "'",
    "x'l",
    'ſ',
  ],
  ...[
    '1',
    '12',
    '1234567890',
    '٣٤',
    '½',
    '²',
    ' 7',
    '中文',
    '漢字仮名',
    'ひらがな',
    '한국어',
    'Привет',
    'ΑΒΓ',
    'ﬁ',
    'İ',
    'ß',
    'Ǆ',
    'ʰ',
  ],
  ...[
    'שלום',
    'مرحبا',
    'हिन्दी',
    'ไทย',
    'ქართული',
    'e\u0301',
    '\u0301',
    '\u20dd',
    '\u200d',
    '\ufe0f',
    '𝒳',
    '𠀀',
    '😀',
    '👩‍👩‍👧',
    '🇩🇪',
  ],
  ...[
    ' ',
    '  ',
    '\t',
    '\n',
    '\r\n',
    '\r',
    '\n\n',
    ' \n',
    '\n ',
    '\u00a0',
    '\u3000',
    '\u2028',
    '\u0085',
    '\u180e',
    '\u200b',
    '\ufeff',
  ],
  ...[
    '+-+-',
    '--',
    '...',
    '/',
    '//',
    '\n/',
    '!\n',
    ';',
    '}\n',
    '\\',
    '<|endoftext|>',
    '<|fim_prefix|>',
    '<|endofprompt|>',
    '<|',
    '|>',
  ],
  ...[
    '\0',
    '\x1f',
    '\x7f',
    '\ud800',
    '\udc00',
    '\ud83d',
    '\ude00',
    '\ufffd',
    '\uffff',
    '\ue000',
    'aaaa',
    '    ',
    '----',
    'é',
    'ÿ',
  ],
]

const nastyText = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...FRAGMENTS) },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) },
    ),
    { maxLength: 16 },
  )
  .map((parts) => parts.join(''))

/** Unbroken runs that merge in many ways: js-tiktoken would take minutes. */
const longRun = fc
  .tuple(
    fc.constantFrom(
      'a',
      'ab',
      'aA',
      'abcdeinorst',
      'ACGT',
      '中',
      '中国人',
      '的一是不了',
      'あい',
      ' ',
      ' \t',
      '\n',
      ' \n',
      '-',
      '-=',
      '+-',
      '/\n-',
      '😀',
      '😀👍',
      'éè',
      '\ud800',
      '\0',
      'я',
    ),
    fc.integer({ min: 1, max: 1500 }),
    fc.infiniteStream(fc.nat(1000)),
  )
  .map(([letters, length, choices]) => {
    const units = Array.from(letters)
    return Array.from({ length }, () => units[choices.next().value! % units.length]).join('')
  })

describe.each(ENCODINGS)('%s', (encoding) => {
  const ranks = require(`js-tiktoken/ranks/${encoding}`) as TiktokenBPE
  let oracle: Tiktoken
  let encoder: Encoder

  const count = (text: string) => atOnce(encoder.count(text))
  const oracleCount = (text: string) => oracle.encode(text, [], []).length

  beforeAll(async () => {
    oracle = new Tiktoken(ranks)
    encoder = await loadEncoder(encoding)
  })

  it('counts every fragment as js-tiktoken does', () => {
    for (const text of ['', ...FRAGMENTS]) expect([text, count(text)]).toEqual([text, oracleCount(text)])
  })

  it('counts any text as js-tiktoken does', () => {
    fc.assert(
      fc.property(nastyText, (text) => count(text) === oracleCount(text)),
      { numRuns: 1500, examples: [['']] },
    )
  })

  it('counts every character as js-tiktoken does', () => {
    // each 16-bit unit between two letters, surrogates on their own too
    for (let block = 0; block < 0x10000; block += 64) {
      const units = Array.from({ length: 64 }, (_, i) => `x${String.fromCharCode(block + i)}y`)
      const text = units.join(' ')
      if (count(text) !== oracleCount(text)) {
        for (const unit of units) expect([unit, count(unit)]).toEqual([unit, oracleCount(unit)])
        expect.unreachable(`block ${block}`)
      }
    }
  })

  it('counts special tokens as the text that they are', () => {
    const text = 'a <|endoftext|> b<|fim_prefix|><|endofprompt|>'
    expect(count('<|endoftext|>')).toBeGreaterThan(1)
    expect(count(text)).toBe(oracleCount(text))
  })

  it('counts long unbroken runs as plain BPE does', () => {
    const plain = new PlainBpe(ranks)
    fc.assert(
      fc.property(longRun, (text) => count(text) === plain.count(text)),
      { numRuns: 50 },
    )
    for (const letter of ['a', '中', ' ', '\n', '-', '😀']) {
      const text = letter.repeat(3000)
      expect([letter, count(text)]).toEqual([letter, plain.count(text)])
    }
  })

  it('knows what a text adds in front of another line', () => {
    const human = oracleCount('Human')
    fc.assert(
      fc.property(nastyText, (text) => {
        const counts = atOnce(encoder.countWithNewline(text))
        return counts.alone === count(text) && counts.beforeLine === count(`${text}\nHuman`) - human
      }),
      { numRuns: 2500, examples: [['']] },
    )
  })

  it.each([
    ...[
      '',
      ' ',
      '\n',
      ' \n ',
      '\n\n',
      'x',
      'x ',
      'x\n',
      'x \n\t',
      '+-+-+-',
      '+-+-\n',
      '+-\n/',
      '+\n/\n ',
      "we'r",
      "'",
      "x'",
      "x'l",
      "x's",
    ],
    ...[
      '...\u0085',
      '中。',
      '中。\n',
      '!\r',
      '!\r\n',
      '\ufeff',
      '. \u3000',
      '\u0301',
      ' e\u0301',
      'x\u180e',
      '😀',
      '😀\n',
      '\ud83d',
      ' ',
      '12',
      '12 ',
    ],
    ...[
      '+-'.repeat(500),
      ' '.repeat(2000),
      '\n'.repeat(2000),
      'a'.repeat(2000),
      `-\n${'/'.repeat(600)}`,
      `x${' '.repeat(600)}\n  `,
    ],
  ])('knows what %j adds in front of another line', (text) => {
    const { alone, beforeLine } = atOnce(encoder.countWithNewline(text))
    expect(alone).toBe(count(text))
    expect(beforeLine).toBe(count(`${text}\nHuman`) - count('Human'))
  })

  it('keeps counts apart that are taken turn by turn', () => {
    const texts = [
      '中'.repeat(3000),
      'The quick brown fox, '.repeat(900),
      '-'.repeat(9000),
      'ab '.repeat(4000),
      '',
    ]
    const expected = texts.map(count)
    const running = texts.map((text) => encoder.count(text))
    const counts: number[] = []
    while (counts.filter((total) => total !== undefined).length < texts.length) {
      running.forEach((steps, i) => {
        const step = steps.next()
        if (step.done && counts[i] === undefined) counts[i] = step.value
      })
    }
    expect(counts).toEqual(expected)
  })

  it.each(['a', '中', ' ', '\n', '-', '😀', 'word '])('pauses often within a long run of %j', (letter) => {
    const text = letter.repeat(20_000)
    const steps = encoder.count(text)
    let pauses = 0
    while (!steps.next().done) pauses++
    expect(pauses).toBeGreaterThan(20)
  })

  it('is the same encoder for all callers', async () => {
    expect(await loadEncoder(encoding)).toBe(encoder)
    expect(loadEncoderSync(encoding)).toBe(encoder)
    expect(encoder.encoding).toBe(encoding)
  })
})

describe('merging', () => {
  // OpenAI's vocabularies list a token after those that it is made of. These list them in any order.
  const vocabulary = fc
    .uniqueArray(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 2, maxLength: 6 }), {
      minLength: 5,
      maxLength: 60,
    })
    .map((tokens) => {
      const bytes = Array.from({ length: 256 }, (_, byte) => Buffer.of(byte).toString('base64'))
      const packed = ['! 0', ...bytes, ...tokens.map((token) => Buffer.from(token).toString('base64'))].join(
        ' ',
      )
      return { pat_str: '[^]+', special_tokens: {}, bpe_ranks: packed }
    })

  it('keeps the order of BPE, whatever the vocabulary', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 300 })
    fc.assert(
      fc.property(vocabulary, text, (module, start) => {
        const ranks = atOnce(Ranks.unpack(module.bpe_ranks))
        const plain = new PlainBpe(module)
        // short pieces are merged in one way, long ones in another; none is a token as a whole
        return [`${start.slice(0, 100)}!`, `${start.padEnd(300, start)}!`].every((piece) => {
          const bytes = new TextEncoder().encode(piece)
          const expected = plain.count(piece)
          const counts = [
            mergeNow(ranks, bytes, bytes.length),
            atOnce(mergeInSteps(ranks, bytes, bytes.length)),
          ]
          return counts.every((count) => count === expected)
        })
      }),
      { numRuns: 400 },
    )
  })
})

describe('loading an encoder', () => {
  /** The modules as a new process would see them: nothing is built yet. */
  async function afresh() {
    vi.resetModules()
    return import('../../src/tokens/encoder.ts')
  }

  afterEach(() => {
    vi.doUnmock('js-tiktoken/ranks/gpt2')
    vi.resetModules()
  })

  it('loads ranks when an encoder is asked for, not when the module is imported, and once', async () => {
    const loaded = vi.fn(() => ({ default: require('js-tiktoken/ranks/gpt2') as TiktokenBPE }))
    vi.doMock('js-tiktoken/ranks/gpt2', loaded)
    const tokens = await afresh()
    expect(loaded).toHaveBeenCalledTimes(0)
    const [one, other] = await Promise.all([tokens.loadEncoder('gpt2'), tokens.loadEncoder('gpt2')])
    expect(other).toBe(one)
    expect(await tokens.loadEncoder('gpt2')).toBe(one)
    expect(loaded).toHaveBeenCalledTimes(1)
  })

  it('gives the synchronous caller who overtakes a build the encoder that all get', async () => {
    const tokens = await afresh()
    const building = tokens.loadEncoder('gpt2')
    const encoder = tokens.loadEncoderSync('gpt2')
    expect(await building).toBe(encoder)
    expect(atOnce(encoder.count('hello world'))).toBe(2)
  })

  it('tries again after a build that failed', async () => {
    const broken: TiktokenBPE = { pat_str: '.', special_tokens: {}, bpe_ranks: 'nonsense' }
    const module = vi.fn().mockReturnValueOnce(broken).mockReturnValue(require('js-tiktoken/ranks/gpt2'))
    vi.doMock('js-tiktoken/ranks/gpt2', () => ({
      get default() {
        return module() as TiktokenBPE
      },
    }))
    const tokens = await afresh()
    await expect(tokens.loadEncoder('gpt2')).rejects.toThrow('not in the form')
    const encoder = await tokens.loadEncoder('gpt2')
    expect(atOnce(encoder.count('hello world'))).toBe(2)
  })

  it.each(['nonsense', '../../package.json', undefined])('refuses the encoding %j', async (name) => {
    await expect(loadEncoder(name as 'gpt2')).rejects.toMatchObject({ code: 'UNKNOWN_ENCODING' })
    expect(() => loadEncoderSync(name as 'gpt2')).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_ENCODING' }),
    )
  })
})

describe('work in slices', () => {
  /** Work of so many steps, each longer than a slice. */
  function* slowSteps(steps: number): Steps<string> {
    for (let i = 0; i < steps; i++) {
      const end = performance.now() + 10
      while (performance.now() < end);
      yield
    }
    return 'done'
  }

  /** Counts the turns of the event loop until the work is done. */
  async function turnsDuring(work: Promise<unknown>): Promise<number> {
    let turns = 0
    const turn = () => {
      turns++
      next = setImmediate(turn)
    }
    let next = setImmediate(turn)
    await work
    clearImmediate(next)
    return turns
  }

  it('gives the event loop a turn after each slice', async () => {
    const work = inSlices(slowSteps(5))
    expect(await turnsDuring(work)).toBeGreaterThanOrEqual(5)
    expect(await work).toBe('done')
  })

  it('gives each of many callers a turn of its own', async () => {
    const works = Promise.all(Array.from({ length: 4 }, () => inSlices(slowSteps(3))))
    expect(await turnsDuring(works)).toBeGreaterThanOrEqual(12)
  })

  it('waits for no turn when the first slice is enough', async () => {
    let turned = false
    setImmediate(() => (turned = true))
    const encoder = loadEncoderSync('gpt2')
    expect(await inSlices(encoder.count('a short text'))).toBe(3)
    expect(turned).toBe(false)
  })

  it('counts the same as at once', async () => {
    const encoder = loadEncoderSync('o200k_base')
    const text = 'Einigkeit macht stark. 中'.repeat(20_000)
    expect(await inSlices(encoder.count(text))).toBe(atOnce(encoder.count(text)))
  })

  it('stops between two slices when the signal is aborted', async () => {
    const controller = new AbortController()
    const reason = new Error('changed my mind')
    let steps = 0
    const endless = (function* (): Steps<never> {
      for (;;) {
        steps++
        yield
      }
    })()
    const work = inSlices(endless, controller.signal)
    setImmediate(() => controller.abort(reason))
    await expect(work).rejects.toBe(reason)
    const before = steps
    await new Promise((resolve) => setImmediate(resolve))
    expect(steps).toBe(before)
  })

  it('does not begin when the signal is aborted already', async () => {
    const begun = vi.fn()
    const steps = (function* (): Steps<void> {
      begun()
      yield
    })()
    await expect(inSlices(steps, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' })
    expect(begun).not.toHaveBeenCalled()
  })

  it('passes on what the work throws, then goes on serving others', async () => {
    const failing = (function* (): Steps<void> {
      yield* slowSteps(2)
      throw new RangeError('no')
    })()
    await expect(inSlices(failing)).rejects.toBeInstanceOf(RangeError)
    expect(await inSlices(slowSteps(2))).toBe('done')
  })
})

/** BPE as its definition reads: find the neighbours of the lowest rank, leftmost first, join them, begin again. */
class PlainBpe {
  readonly #pattern: RegExp
  readonly #ranks = new Map<string, number>()

  constructor(module: TiktokenBPE) {
    this.#pattern = new RegExp(module.pat_str, 'ug')
    for (const line of module.bpe_ranks.split('\n')) {
      const [, first, ...tokens] = line.split(' ')
      tokens.forEach((token, i) =>
        this.#ranks.set(Buffer.from(token, 'base64').toString('latin1'), Number(first) + i),
      )
    }
  }

  count(text: string): number {
    return (text.match(this.#pattern) ?? []).reduce((total, piece) => total + this.#merge(piece), 0)
  }

  #merge(piece: string): number {
    const whole = Buffer.from(piece).toString('latin1')
    if (this.#ranks.has(whole)) return 1
    const parts = Array.from(whole)
    const rankAt = (i: number) =>
      i < 0 || i + 1 >= parts.length ? Infinity : (this.#ranks.get(parts[i]! + parts[i + 1]!) ?? Infinity)
    const ranks = parts.map((_, i) => rankAt(i))
    for (;;) {
      let best = 0
      for (let i = 1; i < ranks.length; i++) if (ranks[i]! < ranks[best]!) best = i
      if (!(ranks[best]! < Infinity)) return parts.length
      parts.splice(best, 2, parts[best]! + parts[best + 1]!)
      ranks.splice(best + 1, 1)
      ranks[best] = rankAt(best)
      if (best > 0) ranks[best - 1] = rankAt(best - 1)
    }
  }
}
