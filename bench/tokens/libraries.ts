import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Tiktoken, type TiktokenBPE } from 'js-tiktoken/lite'
import { loadEncoder } from '../../dist/tokens/encoder.js'
import type { EncodingName } from '../../src/tokens/encodings.ts'
import { atOnce } from '../../dist/tokens/steps.js'

/** Counts the tokens of a text, which holds nothing that looks like a special token. */
export type CountTokens = (text: string) => number

/** What is compared, each loaded with one encoding, as its own documentation does it where only one is wanted. */
export const LIBRARIES = {
  backscroll: async (encoding: EncodingName): Promise<CountTokens> => {
    const encoder = await loadEncoder(encoding)
    return (text) => atOnce(encoder.count(text))
  },
  'js-tiktoken': async (encoding: EncodingName): Promise<CountTokens> => {
    const tiktoken = new Tiktoken(require(`js-tiktoken/ranks/${encoding}`) as TiktokenBPE)
    return (text) => tiktoken.encode(text, [], []).length
  },
  'gpt-tokenizer': async (encoding: EncodingName): Promise<CountTokens> => {
    const { countTokens } = (await import(`gpt-tokenizer/encoding/${encoding}`)) as {
      readonly countTokens: CountTokens
    }
    return countTokens
  },
  tiktoken: async (encoding: EncodingName): Promise<CountTokens> => {
    // The main module holds the ranks of every encoding.
    const { Tiktoken: Wasm } = (await import(`${'tiktoken'}/lite`)) as WasmModule
    const { bpe_ranks, special_tokens, pat_str } = require(`tiktoken/encoders/${encoding}.json`) as WasmRanks
    const tiktoken = new Wasm(bpe_ranks, special_tokens, pat_str)
    return (text) => tiktoken.encode_ordinary(text).length
  },
}

/** A library, by its package. */
export type Library = keyof typeof LIBRARIES

/** What of tiktoken's types is used here: the root is checked without the packages of this folder. */
interface WasmModule {
  readonly Tiktoken: new (
    ranks: string,
    special: Readonly<Record<string, number>>,
    pattern: string,
  ) => { encode_ordinary(text: string): Uint32Array }
}

interface WasmRanks {
  readonly bpe_ranks: string
  readonly special_tokens: Readonly<Record<string, number>>
  readonly pat_str: string
}

const require = createRequire(import.meta.url)

/** The packages of this folder, which are installed apart from the project's, with their versions. */
const { dependencies: PEERS } = require('./package.json') as {
  readonly dependencies: Readonly<Record<string, string>>
}

/**
 * The libraries that can be compared, this one first, and the versions of those of this folder. A short run makes do
 * without these.
 *
 * @throws {Error} when they are not installed and the run is not short.
 */
export function findLibraries({ short }: { readonly short: boolean }): {
  readonly libraries: readonly Library[]
  readonly versions: Readonly<Record<string, string>>
} {
  const names = Object.keys(LIBRARIES) as Library[]
  const missing = names.filter((name) => name in PEERS && !isInstalled(name))
  if (missing.length > 0 && !short) {
    throw new Error(`${missing.join(' and ')} are not installed: npm ci --prefix bench/tokens`)
  }
  return {
    libraries: names.filter((name) => !missing.includes(name)),
    versions: Object.fromEntries(
      Object.entries(PEERS).filter(([name]) => !missing.includes(name as Library)),
    ),
  }
}

function isInstalled(name: string): boolean {
  return existsSync(new URL(`node_modules/${name}/package.json`, import.meta.url))
}
