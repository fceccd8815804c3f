import { UnknownEncodingError, UnknownModelError } from '../errors.ts'
import { kindOf } from '../redact.ts'

/** The encodings that can be counted, oldest first: those whose ranks js-tiktoken 1.0 ships. */
export const ENCODINGS = ['gpt2', 'r50k_base', 'p50k_base', 'p50k_edit', 'cl100k_base', 'o200k_base'] as const

/** A named BPE vocabulary. */
export type EncodingName = (typeof ENCODINGS)[number]

/** The encoding of OpenAI's models since gpt-4o (May 2024), and so the one that most callers mean. */
export const DEFAULT_ENCODING: EncodingName = 'o200k_base'

/**
 * The same value, known to be an encoding.
 *
 * @throws {UnknownEncodingError} for anything that `ENCODINGS` does not list.
 */
export function checkEncoding(name: unknown): EncodingName {
  const encoding = ENCODINGS.find((known) => known === name)
  if (encoding !== undefined) return encoding
  throw new UnknownEncodingError(`Unknown encoding ${describe(name)}. Name one of ${ENCODINGS.join(', ')}.`)
}

/**
 * The encoding of an OpenAI model: of its plain name, a dated or otherwise suffixed one (`gpt-4o-2024-08-06`), Azure's
 * spelling (`gpt-35-turbo`), or a fine-tuned one (`ft:gpt-4o-mini-2024-07-18:org::id`). Case matters, as it does to OpenAI.
 *
 * @throws {UnknownModelError} for any other value, another vendor's model included: a guess would count wrongly in silence.
 */
export function encodingForModel(model: unknown): EncodingName {
  const encoding = typeof model === 'string' ? knownEncoding(model) : undefined
  if (encoding !== undefined) return encoding
  throw new UnknownModelError(
    `No encoding is known for the model ${describe(model)}. ` +
      `Name the \`encoding\` instead, one of ${ENCODINGS.join(', ')}.`,
  )
}

/** The same; undefined for a model that is not known. */
export function knownEncoding(model: string): EncodingName | undefined {
  const base = model.startsWith('ft:') ? model.slice('ft:'.length) : model
  for (const [prefix, encoding] of MODEL_PREFIXES) {
    if (base.startsWith(prefix) && MODEL_BOUNDARY.test(base.charAt(prefix.length))) return encoding
  }
  return DOTTED_GPT_5.test(base) ? 'o200k_base' : undefined
}

/** What may follow a model's name: nothing, or a character that starts a suffix. Not '.': gpt-4.1 is no gpt-4. */
const MODEL_BOUNDARY = /^[-:@]?$/

/** gpt-5.1, gpt-5.2 and those to come, each with o200k_base so far (November 2026). */
const DOTTED_GPT_5 = /^gpt-5\.\d+(?:[-:@]|$)/

/**
 * Names by encoding. Source: js-tiktoken 1.0.21 `getEncodingNameForModel` (a test compares every name), and for the newer
 * ones tiktoken's `model.py`. gpt-oss is o200k_harmony, which is o200k_base with more special tokens: equal on all text.
 */
const MODELS: Record<EncodingName, readonly string[]> = {
  gpt2: ['gpt2'],
  r50k_base: [
    ...['ada', 'babbage', 'babbage-002', 'curie', 'davinci'],
    ...['text-ada-001', 'text-babbage-001', 'text-curie-001', 'text-davinci-001'],
    ...['code-search-ada-code-001', 'code-search-babbage-code-001'],
    ...['text-search-ada-doc-001', 'text-search-babbage-doc-001', 'text-search-curie-doc-001'],
    ...['text-search-davinci-doc-001', 'text-similarity-ada-001', 'text-similarity-babbage-001'],
    ...['text-similarity-curie-001', 'text-similarity-davinci-001'],
  ],
  p50k_base: [
    ...['code-cushman-001', 'code-cushman-002', 'code-davinci-001', 'code-davinci-002'],
    ...['cushman-codex', 'davinci-codex', 'davinci-002', 'text-davinci-002', 'text-davinci-003'],
  ],
  p50k_edit: ['code-davinci-edit-001', 'text-davinci-edit-001'],
  cl100k_base: [
    ...['gpt-3.5', 'gpt-35', 'gpt-4'],
    ...['text-embedding-ada-002', 'text-embedding-3-small', 'text-embedding-3-large'],
  ],
  o200k_base: ['gpt-4o', 'chatgpt-4o', 'gpt-4.1', 'gpt-4.5', 'gpt-5', 'gpt-oss', 'o1', 'o3', 'o4', 'codex'],
}

/** Longest first: `davinci-002` before `davinci`, which have different encodings. */
const MODEL_PREFIXES = ENCODINGS.flatMap((encoding) =>
  MODELS[encoding].map((prefix): readonly [string, EncodingName] => [prefix, encoding]),
).sort(([a], [b]) => b.length - a.length)

/** What an error may say of a wrong name: itself when it looks like one, otherwise only its kind. It may be a user's text. */
function describe(name: unknown): string {
  return typeof name === 'string' && /^[\w.:-]{1,64}$/.test(name) ? `'${name}'` : `(${kindOf(name)})`
}
