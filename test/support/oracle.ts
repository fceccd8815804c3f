import { createRequire } from 'node:module'
import { Tiktoken } from 'js-tiktoken/lite'
import type { TiktokenBPE } from 'js-tiktoken/lite'
import type { ContentPart, EncodingName, Message } from '../../src/index.ts'

// The slow, obvious answers: written from what is promised, and sharing no code with what is tested.

/** Tells how many tokens a text has. */
export type Count = (text: string) => number

/** js-tiktoken's count, remembered for each text. Built once a process; o200k_base takes about a second. */
export function oracleCount(encoding: EncodingName): Count {
  let count = counts.get(encoding)
  if (!count)
    counts.set(
      encoding,
      (count = remember(new Tiktoken(require(`js-tiktoken/ranks/${encoding}`) as TiktokenBPE))),
    )
  return count
}

const require = createRequire(import.meta.url)
const counts = new Map<EncodingName, Count>()

function remember(tiktoken: Tiktoken): Count {
  const known = new Map<string, number>()
  return (text) => {
    let tokens = known.get(text)
    // Without the two lists it throws on a text such as <|endoftext|>.
    if (tokens === undefined) known.set(text, (tokens = tiktoken.encode(text, [], []).length))
    return tokens
  }
}

export interface Prefixes {
  readonly humanPrefix: string
  readonly aiPrefix: string
}

export const DEFAULT_PREFIXES: Prefixes = { humanPrefix: 'Human', aiPrefix: 'AI' }

/** One `Prefix: content` line a message. */
export function render(messages: readonly Message[], { humanPrefix, aiPrefix } = DEFAULT_PREFIXES): string {
  const names = {
    user: humanPrefix,
    assistant: aiPrefix,
    system: 'System',
    developer: 'System',
    tool: 'Tool',
  }
  const lines = messages.map((message) => {
    const calls = 'tool_calls' in message ? JSON.stringify(message.tool_calls) : ''
    return `${names[message.role]}: ${textOf(message, true)}${calls}`
  })
  return lines.join('\n')
}

/** Tokens in OpenAI's chat form: 3 a message, its role, content, calls and call id, and its name and 1 more. */
export function chatTokens(
  messages: readonly Message[],
  count: Count,
  countPart: (part: ContentPart) => number = () => Number.NaN,
): number {
  let tokens = 0
  for (const message of messages) {
    tokens += 3 + count(message.role) + count(textOf(message, false))
    if (Array.isArray(message.content))
      for (const part of message.content)
        if (!('text' in part || 'refusal' in part)) tokens += countPart(part)
    if ('tool_calls' in message) tokens += count(JSON.stringify(message.tool_calls))
    if ('tool_call_id' in message) tokens += count(message.tool_call_id)
    if ('name' in message && message.name !== undefined) tokens += 1 + count(message.name)
  }
  return tokens
}

function textOf({ content }: Message, placeholders: boolean): string {
  if (typeof content === 'string') return content
  const names: Record<string, string> = { image_url: '[image]', input_audio: '[audio]', file: '[file]' }
  return (content ?? [])
    .map((part) =>
      'text' in part ? part.text : 'refusal' in part ? part.refusal : placeholders ? names[part.type] : '',
    )
    .join('')
}

/** Tokens of a run of turns, as rendered in one string. */
export type Tokens = (turns: readonly Message[][]) => number

/** Text framing: render the turns and count the string. No turns are no tokens. */
export function textTokens(count: Count, prefixes = DEFAULT_PREFIXES): Tokens {
  return (turns) => (turns.length === 0 ? 0 : count(render(turns.flat(), prefixes)))
}

/** How many of the newest turns fit: tries them all. */
export function newestThatFit(turns: readonly Message[][], limit: number, tokens: Tokens): number {
  let most = 0
  for (let kept = 1; kept <= turns.length; kept++) if (tokens(turns.slice(-kept)) <= limit) most = kept
  return most
}

/** How many of the newest turns stay when the window's start moves in steps. */
export function newestRetained(
  turns: readonly Message[][],
  limit: number,
  ratio: number,
  tokens: Tokens,
): number {
  const step = limit - Math.ceil(limit * ratio)
  if (step === 0) return newestThatFit(turns, limit, tokens)
  const total = tokens(turns)
  const cut = Math.ceil((total - limit) / step) * step
  for (let kept = turns.length; kept > 0; kept--) {
    const before = total - tokens(turns.slice(-kept))
    if (before >= cut) return kept
  }
  return turns.length > 0 && tokens(turns.slice(-1)) <= limit ? 1 : 0
}
