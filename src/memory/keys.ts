import { UnresolvedKeyError, InvalidArgumentError } from '../errors.ts'
import { kindOf } from '../redact.ts'

/** Values that a chain passes along but that are never what the person said. Source: LangChain's `getPromptInputKey`. */
const NEVER_INPUT = ['stop', 'signal', 'timeout']

/**
 * What the person said, among a chain's input values: the one under `inputKey`, or the only one that is neither the
 * memory's own nor a setting of the call.
 *
 * @throws {UnresolvedKeyError} when there is not exactly one, or it is not a string.
 */
export function resolveInput(inputs: unknown, inputKey: string | undefined, memoryKey: string): string {
  const values = checkValues('inputs', inputs)
  const keys = Object.keys(values).filter((key) => key !== memoryKey && !NEVER_INPUT.includes(key))
  const key = pick('input', Object.keys(values), inputKey ?? (keys.length === 1 ? keys[0] : undefined))
  const value = values[key]
  if (typeof value === 'string') return value
  throw new UnresolvedKeyError(`The input under ${quote(key)} must be a string; got ${kindOf(value)}.`)
}

/**
 * What was answered, among a chain's output values: the one under `outputKey`, the only one, or the one named
 * `output`. A value that is not a string becomes JSON text.
 *
 * @throws {UnresolvedKeyError} when there is none of these, or it cannot be written as JSON.
 */
export function resolveOutput(outputs: unknown, outputKey: string | undefined): string {
  const values = checkValues('outputs', outputs)
  const keys = Object.keys(values)
  const only = keys.length === 1 ? keys[0] : keys.find((key) => key === 'output')
  const key = pick('output', keys, outputKey ?? only)
  const value = values[key]
  const text = typeof value === 'string' ? value : toJson(value)
  if (text !== undefined) return text
  throw new UnresolvedKeyError(
    `The output under ${quote(key)} cannot be written as JSON; got ${kindOf(value)}.`,
  )
}

function checkValues(name: string, values: unknown): Record<string, unknown> {
  if (typeof values === 'object' && values !== null && !Array.isArray(values))
    return values as Record<string, unknown>
  throw new InvalidArgumentError(`${name} must be an object of values by key; got ${kindOf(values)}.`)
}

function pick(side: 'input' | 'output', found: readonly string[], key: string | undefined): string {
  if (key !== undefined && found.includes(key)) return key
  const list = found.length === 0 ? 'no keys' : `the keys ${found.map(quote).join(', ')}`
  throw new UnresolvedKeyError(
    key === undefined
      ? `Which value is the ${side} cannot be told from ${list}. Name it with ${side}Key.`
      : `The ${side}Key is ${quote(key)}, but there are ${list}.`,
  )
}

/** Keys are names in the host's code; one that is too long for that may be a user's text, and is cut. */
function quote(key: string): string {
  return key.length <= 40 ? `'${key}'` : `'${key.slice(0, 8)}…'`
}

/** A value as JSON text; undefined where JSON cannot hold it. No error of `JSON.stringify`: its message may quote the value. */
export function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}
