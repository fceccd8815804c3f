import type { ConversationKey, Head } from '../dialect/dialect.ts'
import type { Operation } from '../dialect/rewrite.ts'
import type { Counting } from '../tokens/count.ts'
import type { Message } from '../types.ts'
import type { ConversationContext } from './conversation-reader.ts'
import { checkSameChange, toOperation, type Change } from './operation.ts'
import { ruleName, sameRule } from './rule.ts'
import { planRewrite, type Splice } from './splice.ts'
import { newestMessages, readTail } from './tail.ts'
import type { UserTexts } from './texts.ts'

/** What is to be done to a conversation's newest messages. */
export interface AskedSplice {
  /** How many of them `decide` is shown. */
  readonly count: number
  /** Tells what is to be done; undefined for nothing. What it throws, the caller gets. */
  readonly decide: (newest: Message[]) => Splice | undefined
  /** What is to be done once under `idempotencyKey`. */
  readonly change?: Change | undefined
  readonly idempotencyKey?: string | undefined
  readonly signal: AbortSignal | undefined
}

/** Where a splice is made. */
export interface SplicePlace {
  readonly context: ConversationContext
  readonly key: ConversationKey
  readonly counting: Counting
  readonly texts: UserTexts
}

/**
 * `settled`: done, with the messages that `decide` was shown; or done before under the same key, with none. `changed`:
 * others changed the conversation meanwhile, and nothing was done. `other rule`: its counts were made by another one.
 */
export type SpliceOutcome =
  { readonly kind: 'settled'; readonly newest: Message[] } | { readonly kind: 'changed' | 'other rule' }

/** Works out from what is there what takes its place, and puts it there if what was read is still the same then. */
export async function trySplice(place: SplicePlace, asked: AskedSplice): Promise<SpliceOutcome> {
  const { context, key, counting, texts } = place
  const { calls, dialect } = context
  const { signal } = asked
  const operation = operationOf(asked)
  const findMade = async () => operation !== undefined && wasMade(place, operation)
  if (operation && (await calls.make(findMade, { effect: 'read', signal })))
    return { kind: 'settled', newest: [] }

  const { head, rows: stored } = await readTail(context, key, { messages: asked.count, signal })
  if (head && !sameRule(head, counting)) return { kind: 'other rule' }
  const rows = stored.map((row) => texts.decodeTurn(key.conversationId, row))
  const newest = newestMessages(rows, asked.count)
  const splice = asked.decide(newest)
  if (!splice || (!operation && isNothing(splice))) return { kind: 'settled', newest }
  const rewrite = await planRewrite(
    { head: head ?? emptyHead(counting), rows, stored: stored.at(-1)?.messages ?? null },
    splice,
    {
      key,
      counting,
      texts,
      maxTurnCharacters: context.maxTurnCharacters,
      signal,
    },
  )
  // What cannot be stored begins no conversation.
  if (!head) {
    const begin = () => dialect.begin(key, ruleName(counting))
    await calls.make(begin, { effect: 'repeatable', signal })
    return { kind: 'changed' }
  }
  const given = { ...rewrite, operation: operation && encoded(operation, place) }
  // In one call with the look-up: made again after an answer that was lost, it finds the conversation changed, and stays in
  // doubt until it is known by whom. Without a key that cannot be told.
  const make = async () => (await dialect.rewrite(key, given)) || findMade()
  const isDone = await calls.make(make, { effect: operation ? 'repeatable' : 'once', signal })
  return isDone ? { kind: 'settled', newest } : { kind: 'changed' }
}

/** What the row of a conversation says that has none. */
function emptyHead(counting: Counting): Head {
  const totals = { lastPosition: 0, newestPosition: 0, turnCount: 0, totalTokens: 0, newestSaving: 0 }
  return { ...ruleName(counting), createdAt: new Date(0), ...totals }
}

function isNothing({ remove, add }: Splice): boolean {
  return remove === 0 && add.length === 0
}

function operationOf({ idempotencyKey, change }: AskedSplice): Operation | undefined {
  return idempotencyKey === undefined || !change ? undefined : toOperation(idempotencyKey, change)
}

/** @throws {IdempotencyConflictError} when another change was made under the key. */
async function wasMade({ context, key, texts }: SplicePlace, operation: Operation): Promise<boolean> {
  const made = await context.dialect.findOperation(key, operation.id)
  if (made === undefined) return false
  checkSameChange(operation, texts.decode(made, { conversationId: key.conversationId, kind: 'operation' }))
  return true
}

function encoded({ id, fingerprint }: Operation, { key, texts }: SplicePlace): Operation {
  const { conversationId } = key
  return { id, fingerprint: texts.encode(fingerprint, { conversationId, kind: 'operation' }) }
}
