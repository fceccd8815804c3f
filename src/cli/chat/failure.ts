import { BackscrollError } from '../../errors.ts'
import { reduceCause } from '../../redact.ts'
import { oneLine } from '../print.ts'
import { loadOpenAI } from './model.ts'

/**
 * Why something in a chat failed, as one line. Of a model's server it gives the status and the code, never what it
 * wrote: it quotes keys and what was sent.
 */
export async function reasonOf(error: unknown): Promise<string> {
  if (error instanceof BackscrollError) return oneLine(error)
  const { APIError, APIConnectionError, APIConnectionTimeoutError } = await loadOpenAI()
  if (error instanceof APIConnectionTimeoutError) return "The model's server did not answer in time."
  if (error instanceof APIConnectionError)
    return `The model's server cannot be reached${inBrackets(codeOf(error))}. Is --base-url right?`
  if (error instanceof APIError) return `${refusal(error)}${advice(error)}`
  const code = codeOf(error)
  if (code?.startsWith('UND_ERR')) return `The connection to the model's server broke off${inBrackets(code)}.`
  return `Failed by an unforeseen ${reduceCause(error).name}${inBrackets(code)}.`
}

/** What is read of an error of the client. */
interface Refused {
  readonly status: number | undefined
  readonly code: string | null | undefined
}

function refusal({ status, code }: Refused): string {
  const known = code !== null && code !== undefined && IS_CODE.test(code) ? code : undefined
  const what = [status, known].filter((part) => part !== undefined).join(' ')
  return `The model's server refused${inBrackets(what || undefined)}.`
}

/** A code is a word of the API; anything else is not printed. */
const IS_CODE = /^\w{1,60}$/

function advice({ status, code }: Refused): string {
  if (code === 'context_length_exceeded') return ' The messages are too long for the model: lower --limit.'
  if (status === 401 || status === 403) return ' Is the key in OPENAI_API_KEY right?'
  if (status === 404) return ' Are --model and --base-url right?'
  if (status === 429) return ' It is asked too often, or the quota is used up: wait a little.'
  return status !== undefined && status >= 500 ? ' Say it again in a while.' : ''
}

function inBrackets(code: string | undefined): string {
  return code === undefined ? '' : ` (${code})`
}

/** The first code on the way to the cause: `fetch` wraps that of the system. */
function codeOf(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown }
    if (typeof code === 'string') return code
  }
  return undefined
}
