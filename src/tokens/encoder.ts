import { createRequire } from 'node:module'
import { checkEncoding } from './encodings.ts'
import type { EncodingName } from './encodings.ts'
import { PieceEncoder } from './pieces.ts'
import { Ranks } from './ranks.ts'
import { atOnce, inSlices } from './steps.ts'
import type { Steps } from './steps.ts'

/** Counts the tokens of texts under one encoding, exactly as js-tiktoken does with `encode(text, [], [])`. */
export interface Encoder {
  readonly encoding: EncodingName
  /** How many tokens the text has. Text that looks like a special token (`<|endoftext|>`) is text. */
  count(text: string): Steps<number>
  /**
   * What the text costs on its own and in front of a line, in one pass.
   * alone: `count(text)`; beforeLine: `count(text + '\nHuman') - count('Human')`.
   */
  countWithNewline(text: string): Steps<{ alone: number; beforeLine: number }>
}

/**
 * The encoder for an encoding, built on first use and then kept for the life of the process. Callers who come while it is
 * being built wait for the same one. The build gives way to the event loop; loading the ranks module (some 20 ms) cannot.
 *
 * @throws {UnknownEncodingError} for a name that `ENCODINGS` does not list.
 */
export async function loadEncoder(encoding: EncodingName): Promise<Encoder> {
  const known = checkEncoding(encoding)
  return ready.get(known) ?? loading.get(known) ?? load(known)
}

/** The same encoder as `loadEncoder` gives, built at once: for callers that cannot wait, such as SQLite transactions. */
export function loadEncoderSync(encoding: EncodingName): Encoder {
  const known = checkEncoding(encoding)
  return ready.get(known) ?? keep(atOnce(build(known, require(`js-tiktoken/ranks/${known}`) as RanksModule)))
}

interface RanksModule {
  readonly bpe_ranks: string
}

const require = createRequire(import.meta.url)

/** One literal each, so that bundlers see them. */
const IMPORTS: Record<EncodingName, () => Promise<{ default: RanksModule }>> = {
  gpt2: () => import('js-tiktoken/ranks/gpt2'),
  r50k_base: () => import('js-tiktoken/ranks/r50k_base'),
  p50k_base: () => import('js-tiktoken/ranks/p50k_base'),
  p50k_edit: () => import('js-tiktoken/ranks/p50k_edit'),
  cl100k_base: () => import('js-tiktoken/ranks/cl100k_base'),
  o200k_base: () => import('js-tiktoken/ranks/o200k_base'),
}

const ready = new Map<EncodingName, Encoder>()
const loading = new Map<EncodingName, Promise<Encoder>>()

function load(encoding: EncodingName): Promise<Encoder> {
  const promise = IMPORTS[encoding]()
    .then((module) => inSlices(build(encoding, module.default)))
    .then(keep)
    .finally(() => loading.delete(encoding)) // a failed build too, so that the next caller tries again
  loading.set(encoding, promise)
  return promise
}

/** The first one built stays, also when a synchronous caller overtakes one that is being built. */
function keep(encoder: Encoder): Encoder {
  const first = ready.get(encoder.encoding) ?? encoder
  ready.set(first.encoding, first)
  return first
}

function* build(encoding: EncodingName, module: RanksModule): Steps<Encoder> {
  const ranks = yield* Ranks.unpack(module.bpe_ranks)
  return new PieceEncoder(encoding, ranks)
}
