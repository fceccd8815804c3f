import { isObject, type JsonObject } from './json.ts'

/**
 * The messages from the beginning of a conversation to its current one, in that order. ChatGPT keeps all branches, of
 * messages that were edited and answers that were made anew, in one tree; the others are left where they are.
 *
 * Undefined when following the parents does not come to an end.
 */
export function pathOf(mapping: JsonObject, currentNode: unknown): JsonObject[] | undefined {
  const tip =
    typeof currentNode === 'string' && isObject(mapping[currentNode]) ? currentNode : newest(mapping)
  const passed = new Set<string>()
  const messages: JsonObject[] = []
  for (let id: unknown = tip; typeof id === 'string';) {
    const node = mapping[id]
    if (!isObject(node)) break
    if (passed.has(id)) return undefined
    passed.add(id)
    if (isObject(node['message'])) messages.push(node['message'])
    id = node['parent']
  }
  return messages.toReversed()
}

/** Where no current message is named: of the ends of the branches, the one that was written last. */
function newest(mapping: JsonObject): string | undefined {
  const nodes = Object.entries(mapping).filter((entry): entry is [string, JsonObject] => isObject(entry[1]))
  const parents = new Set(nodes.map(([, node]) => node['parent']))
  let tip: { id: string; time: number } | undefined
  for (const [id, node] of nodes) {
    const time = timeOf(node)
    if (!parents.has(id) && (tip === undefined || time >= tip.time)) tip = { id, time }
  }
  // Where no branch has an end, any node leads into the circle.
  return tip?.id ?? nodes[0]?.[0]
}

function timeOf({ message }: JsonObject): number {
  const time = isObject(message) ? message['create_time'] : undefined
  return typeof time === 'number' ? time : 0
}
