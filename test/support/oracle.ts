import { createRequire } from 'node:module'
import { Tiktoken } from 'js-tiktoken/lite'
import type { TiktokenBPE } from 'js-tiktoken/lite'
import type { ContentPart, EncodingName, Message } from '../../src/index.ts'
import { textOf, type Count } from '../../src/conformance/oracle.ts'

// The slow, obvious answers of the conformance suite, in each encoding and in chat form as well.

export {
  DEFAULT_PREFIXES,
  newestRetained,
  newestThatFit,
  render,
  textTokens,
  tokensBeforeALine,
} from '../../src/conformance/oracle.ts'
export type { Count, Prefixes, Tokens } from '../../src/conformance/oracle.ts'

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
