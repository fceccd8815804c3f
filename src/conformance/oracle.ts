import type { Message } from '../types.ts'

// The slow, obvious answers: written from what is promised, and sharing no code with what they check.

/** Tells how many tokens a text has. */
export type Count = (text: string) => number

/** js-tiktoken's own count in o200k_base, the default encoding. Building it takes about a second, once a process. */
export function loadOracle(): Promise<Count> {
  return (oracle ??= buildOracle())
}

let oracle: Promise<Count> | undefined

async function buildOracle(): Promise<Count> {
  const { Tiktoken } = await import('js-tiktoken/lite')
  const { default: ranks } = await import('js-tiktoken/ranks/o200k_base')
  const tiktoken = new Tiktoken(ranks)
  // Without the two lists it throws on a text such as <|endoftext|>.
  return (text) => tiktoken.encode(text, [], []).length
}

/** What stands before the lines of a person and of the model. */
export interface Prefixes {
  readonly humanPrefix: string
  readonly aiPrefix: string
}

/** Those of text framing, unless others are given. */
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

/** A message's text; parts that are not text by their names in brackets, or not at all. */
export function textOf({ content }: Message, placeholders: boolean): string {
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

/** What a turn adds to a history that goes on behind it. */
export function tokensBeforeALine(
  turn: readonly Message[],
  count: Count,
  prefixes = DEFAULT_PREFIXES,
): number {
  return count(`${render(turn, prefixes)}\n${prefixes.humanPrefix}`) - count(prefixes.humanPrefix)
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
