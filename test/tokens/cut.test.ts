import * as fc from 'fast-check'
import { createRequire } from 'node:module'
import type { TiktokenBPE } from 'js-tiktoken/lite'
import { describe, expect, it } from 'vitest'
import { CUTS } from '../../src/tokens/cut.ts'
import { ENCODINGS } from '../../src/tokens/encodings.ts'

const require = createRequire(import.meta.url)

/** Characters of every kind that a pattern tells apart, beyond the first 65,536 as well, and what contractions are made of. */
const UNITS = [
  ...[
    "'",
    's',
    'S',
    't',
    're',
    'rE',
    'LL',
    'll',
    'd',
    'm',
    've',
    'ſ',
    'K',
    'a',
    'A',
    'я',
    'Я',
    'ǅ',
    '𐐨',
    '𐐀',
  ],
  ...[
    '中',
    'ʰ',
    '𠀀',
    '\u0301',
    '𑜝',
    '1',
    '½',
    '٣',
    '𝟘',
    '-',
    '/',
    '.',
    '😀',
    '\0',
    '\u200d',
    '\ud800',
    '\udc00',
  ],
  ...[' ', '\t', '\n', '\r', '\r\n', '\u00a0', '\u3000', '\u2028', '\ufeff', '\u0085', '\u180e'],
]

/** Texts of few different units, so that kinds meet in every order and stand in runs. */
const text = fc
  .array(
    fc.oneof(
      { weight: 20, arbitrary: fc.constantFrom(...UNITS) },
      fc.string({ unit: 'binary', maxLength: 1 }),
    ),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .chain((units) => fc.array(fc.constantFrom(...units), { minLength: 1, maxLength: 12 }))
  .map((units) => units.join(''))

describe.each(ENCODINGS)('the pieces of %s', (encoding) => {
  const { pat_str: pattern } = require(`js-tiktoken/ranks/${encoding}`) as TiktokenBPE
  const matched = (of: string) => of.match(new RegExp(pattern, 'ug')) ?? []
  const cut = (of: string) => {
    const pieces: string[] = []
    for (let start = 0, end = 0; start < of.length; start = end) {
      end = CUTS[encoding](of, start)
      pieces.push(of.slice(start, end))
      if (end <= start) break
    }
    return pieces
  }

  it('are those that the pattern of js-tiktoken matches', () => {
    fc.assert(
      fc.property(text, (of) => void expect(cut(of)).toEqual(matched(of))),
      { numRuns: 5000, seed: 5 },
    )
  })

  it('are the same where any two units meet, alone and after a third', () => {
    for (const before of ['', 'A', ' ', '-', '\n', '\u0301']) {
      for (const one of UNITS) {
        for (const other of UNITS) {
          const of = `${before}${one}${other}`
          expect(cut(of)).toEqual(matched(of))
        }
      }
    }
  })

  it.each([
    ...['a', 'Ω', 'я', '中', '\u0301', '😀', '-', ' ', '\u3000', '\n', '\ud800'].map((unit) => [unit, '']),
    ...[
      ['Ω', '\u0301'],
      ['𐐀', '-'],
      [' ', '\n'],
    ],
  ])('are the same for a run of %j after %j', (unit, before) => {
    const of = before + unit.repeat(30_000)
    const lengths = (pieces: readonly string[]) => pieces.map(({ length }) => length)
    expect(lengths(cut(of))).toEqual(lengths(matched(of)))
  })

  it('may be longer than what V8 can match', () => {
    const of = 'Ω'.repeat(5_000_000)
    expect(CUTS[encoding](of, 0)).toBe(of.length)
  })
})
