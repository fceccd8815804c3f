import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { getEncodingNameForModel } from 'js-tiktoken/lite'
import type { TiktokenModel } from 'js-tiktoken/lite'
import { describe, expect, it } from 'vitest'
import { UnknownEncodingError, UnknownModelError } from '../../src/errors.ts'
import { checkEncoding, DEFAULT_ENCODING, encodingForModel, ENCODINGS } from '../../src/tokens/encodings.ts'

describe('checkEncoding', () => {
  it('knows six encodings, the default among them', () => {
    expect(ENCODINGS).toHaveLength(6)
    expect(ENCODINGS.map(checkEncoding)).toEqual(ENCODINGS)
    expect(checkEncoding(DEFAULT_ENCODING)).toBe('o200k_base')
  })

  it.each([
    '',
    'o200k',
    'O200K_BASE',
    'o200k_base ',
    'toString',
    '../o200k_base',
    undefined,
    null,
    7,
    ['gpt2'],
  ])('refuses %j', (name) => {
    const error = errorOf(() => checkEncoding(name))
    expect(error).toBeInstanceOf(UnknownEncodingError)
    expect(error).toMatchObject({ code: 'UNKNOWN_ENCODING' })
  })

  it('says what may be named instead', () => {
    expect(errorOf(() => checkEncoding('o300k')).message).toBe(
      "Unknown encoding 'o300k'. Name one of gpt2, r50k_base, p50k_base, p50k_edit, cl100k_base, o200k_base.",
    )
  })
})

describe('encodingForModel', () => {
  it('agrees with js-tiktoken on every model that js-tiktoken knows', () => {
    const models = modelsOfJsTiktoken()
    expect(models.length).toBeGreaterThan(90)
    const ours = models.map((model) => [model, encodingForModel(model)])
    expect(ours).toEqual(models.map((model) => [model, getEncodingNameForModel(model)]))
  })

  it.each(
    [
      ...[
        'gpt-5',
        'gpt-5.1',
        'gpt-5.2',
        'gpt-5.2-pro-2025-12-11',
        'gpt-5.1-codex-max',
        'gpt-5-mini-2027-01-31',
      ],
      ...[
        'gpt-4.1-mini',
        'gpt-4.5-preview',
        'gpt-4o',
        'gpt-4o-2026-01-01',
        'gpt-4o-mini-tts',
        'chatgpt-4o-latest',
      ],
      ...[
        'o1',
        'o1-pro',
        'o3',
        'o3-deep-research',
        'o4-mini',
        'o4',
        'gpt-oss-20b',
        'gpt-oss:120b',
        'codex-mini-latest',
      ],
      ...[
        'ft:gpt-4o-mini-2024-07-18:org::id',
        'ft:gpt-4.1-nano-2025-04-14:org:name:id',
        'ft:o4-mini:org::id',
      ],
    ].map((model) => [model]),
  )('counts %s with o200k_base', (model) => {
    expect(encodingForModel(model)).toBe('o200k_base')
  })

  it.each([
    ['gpt-4', 'cl100k_base'],
    ['gpt-4-turbo-2024-04-09', 'cl100k_base'],
    ['gpt-4-32k', 'cl100k_base'],
    ['gpt-35-turbo', 'cl100k_base'],
    ['gpt-35-turbo-16k-0613', 'cl100k_base'],
    ['ft:gpt-3.5-turbo-0125:org::id', 'cl100k_base'],
    ['ft:gpt-4:org::id', 'cl100k_base'],
    ['davinci:ft-org-2023-01-01', 'r50k_base'],
    ['ft:davinci-002:org::id', 'p50k_base'],
    ['text-davinci-edit-001', 'p50k_edit'],
    ['gpt2', 'gpt2'],
  ])('counts %s with %s', (model, encoding) => {
    expect(encodingForModel(model)).toBe(encoding)
  })

  it.each([
    ...[
      '',
      'ft:',
      'claude-3',
      'gpt-9',
      'gpt',
      'gpt-',
      'gpt-4xyz',
      'gpt-4.7',
      'gpt-4omni',
      'gpt-5.',
      'gpt-5.x',
      'gpt-50',
      'o2',
    ],
    ...[
      'o10',
      'GPT-4o',
      ' gpt-4o',
      'gpt-4 ',
      'gpt-4\n',
      'openai/gpt-4o',
      'ft:ft:gpt-4o',
      'my-gpt-4o',
      'constructor',
      'davincix',
    ],
    ...[undefined, null, 4, true, {}, ['gpt-4o']],
  ])('refuses %j rather than guess', (model) => {
    const error = errorOf(() => encodingForModel(model))
    expect(error).toBeInstanceOf(UnknownModelError)
    expect(error).toMatchObject({ code: 'UNKNOWN_MODEL' })
  })

  it('says to name the encoding, and which there are', () => {
    const { message } = errorOf(() => encodingForModel('claude-3'))
    expect(message).toContain("'claude-3'")
    expect(message).toContain('Name the `encoding` instead')
    for (const encoding of ENCODINGS) expect(message).toContain(encoding)
  })

  it.each([
    ['My password is hunter2', 'a string of 22 characters'],
    ['x'.repeat(65), 'a string of 65 characters'],
    ['päss', 'a string of 4 characters'],
    ['pass\n', 'a string of 5 characters'],
    [undefined, 'undefined'],
    [null, 'null'],
    [{ password: 'hunter2' }, 'an object'],
    [Symbol('password'), 'a symbol'],
  ])('does not print %j, which may be anything', (name, kind) => {
    for (const error of [errorOf(() => encodingForModel(name)), errorOf(() => checkEncoding(name))]) {
      expect(error.message).toContain(kind)
      expect(error.message).not.toMatch(/hunter2|xxx|päss|pass/)
    }
  })
})

/** The names are a type in js-tiktoken, so they are read from the cases of its `getEncodingNameForModel`. */
function modelsOfJsTiktoken(): TiktokenModel[] {
  const source = readFileSync(createRequire(import.meta.url).resolve('js-tiktoken/lite'), 'utf8')
  return [...source.matchAll(/^\s*case "([^"]+)":/gm)].map((match) => match[1] as TiktokenModel)
}

function errorOf(act: () => unknown): Error {
  try {
    act()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('It was accepted.')
}
