import type { AgentInputItem } from '@openai/agents-core'
import { isObject, type JsonObject } from './json.ts'

/**
 * The items without those whose call is not among the ones before them: what is left of a history that was cut may begin
 * between a call and its result, and no model takes the result of a call that it does not see.
 */
export function withoutOrphans(items: readonly AgentInputItem[]): AgentInputItem[] {
  const calls = new Set<string>()
  const openSearches: string[] = []
  return items.filter((item: JsonObject) => {
    const needed = item['type'] === 'tool_search_output' ? searchOf(item, openSearches) : resultOf(item)
    const program = programOf(item)
    if ((needed !== undefined && !calls.has(needed)) || (program !== undefined && !calls.has(program)))
      return false
    const call = callOf(item)
    if (call !== undefined) calls.add(call)
    if (call !== undefined && item['type'] === 'tool_search_call') openSearches.push(call)
    return true
  })
}

/** The kind of call that each kind of result answers. */
const CALL_OF: ReadonlyMap<unknown, string> = new Map([
  ['function_call_result', 'function_call'],
  ['computer_call_result', 'computer_call'],
  ['shell_call_output', 'shell_call'],
  ['apply_patch_call_output', 'apply_patch_call'],
  ['program_output', 'program'],
])
const CALLS: ReadonlySet<unknown> = new Set(CALL_OF.values())

/** What an item calls, as its result names it; undefined for what is no call. */
function callOf(item: JsonObject): string | undefined {
  const { type, callId, id } = item
  if (CALLS.has(type)) return nameOf(type, callId)
  if (type === 'tool_search_call') return nameOf(type, searchId(item) ?? id)
  const { type: kind, id: requestId = id } = providerData(item)
  const isRequest = item['name'] === 'mcp_approval_request' || kind === 'mcp_approval_request'
  return type === 'hosted_tool_call' && isRequest ? nameOf('mcp_approval_request', requestId) : undefined
}

/** The call that an item is the result of; undefined for what is no result. */
function resultOf(item: JsonObject): string | undefined {
  const call = CALL_OF.get(item['type'])
  if (call !== undefined) return nameOf(call, item['callId'])
  return item['type'] === 'hosted_tool_call' && item['name'] === 'mcp_approval_response'
    ? nameOf('mcp_approval_request', providerData(item)['approval_request_id'])
    : undefined
}

/** The search that an output names, or, as one that OpenAI runs has no id, the first that is still open. */
function searchOf(output: JsonObject, open: string[]): string {
  const id = searchId(output)
  const named = id === undefined ? (open[0] ?? '') : nameOf('tool_search_call', id)
  if (open.includes(named)) open.splice(open.indexOf(named), 1)
  return named
}

/** The program that made a call, where a program of the model's did. */
function programOf({ caller }: JsonObject): string | undefined {
  return isObject(caller) && caller['type'] === 'program' ? nameOf('program', caller['callerId']) : undefined
}

function searchId(item: JsonObject): unknown {
  const { call_id: snake, callId: camel } = providerData(item)
  return [snake, camel, item['call_id'], item['callId']].find((id) => typeof id === 'string' && id !== '')
}

function providerData({ providerData: data }: JsonObject): JsonObject {
  return isObject(data) ? data : {}
}

function nameOf(kind: unknown, id: unknown): string {
  return JSON.stringify([kind, id])
}
