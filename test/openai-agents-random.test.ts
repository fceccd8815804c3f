import {
  MemorySession,
  type AgentInputItem,
  type SessionHistoryMutation,
  type SessionHistoryTransactionArgs,
} from '@openai/agents-core'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { BackscrollError } from '../src/index.ts'
import { BackscrollSession } from '../src/openai-agents.ts'
import { withoutOrphans } from '../src/openai-agents/orphans.ts'
import { anyItem } from './openai-agents/items.ts'
import { onEachDatabase } from './support/databases.ts'

const SEED = 20261123

/** A call of a session, before it is known what is stored. */
type Step =
  | { kind: 'get'; limit: number | undefined }
  | { kind: 'add' | 'compact'; items: AgentInputItem[] }
  | { kind: 'pop' | 'clear' }
  | { kind: 'append'; operationId: string; items: AgentInputItem[] }
  | { kind: 'replace'; operationId: string; newest: number; isOther: boolean; items: AgentInputItem[] }
  | { kind: 'repeat'; isOther: boolean }
  | { kind: 'mutate'; mutations: SessionHistoryMutation[] }

const anyItems = fc.array(anyItem, { maxLength: 3 })
const anyId = fc.constantFrom(
  'run:1',
  'run:2',
  '\0',
  '\ud800',
  '\udfff',
  'é'.repeat(200),
  `${'é'.repeat(200)}.`,
)
const mutation = fc.constantFrom('call_1', 'call_2').map((callId): SessionHistoryMutation => ({
  type: 'replace_function_call',
  callId,
  replacement: { type: 'function_call', callId, name: 'replaced', arguments: '{}', status: 'completed' },
}))
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('add'), items: anyItems }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('get'),
      limit: fc.option(fc.integer({ min: -1, max: 9 }), { nil: undefined }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('pop', 'pop', 'clear') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('append'), operationId: anyId, items: anyItems }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('replace'),
      operationId: anyId,
      newest: fc.nat(3),
      isOther: fc.boolean(),
      items: anyItems,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('repeat'), isOther: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('mutate'), mutations: fc.array(mutation, { maxLength: 2 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('compact'), items: anyItems }) },
)

onEachDatabase("a session, compared with the SDK's own in memory", (database) => {
  it('gives what that gives, over any calls', async () => {
    const store = await database.open()
    let runs = 0
    let refusals = 0
    const compare = async (steps: readonly Step[]) => {
      const options = { store, userId: 'ada', conversationId: `random-${++runs}`, countPart: () => 10 }
      const session = new BackscrollSession(options)
      const reference = new MemorySession()
      let last: SessionHistoryTransactionArgs | undefined
      for (const one of steps) {
        const stored = await reference.getItems()
        const args = transactionOf(one, stored, last)
        last = args ?? last
        const expected = await outcomeOf(() => make(reference, one, args))
        const actual = await outcomeOf(() => make(session, one, args))
        if (expected.error) refusals++
        expect(codeOf(actual.error)).toBe(codeOf(expected.error))
        expect(actual.value).toStrictEqual(
          one.kind === 'get' && one.limit !== undefined
            ? withoutOrphans(expected.value as AgentInputItem[])
            : expected.value,
        )
        expect(await session.getItems()).toStrictEqual(await reference.getItems())
      }
    }
    await fc.assert(fc.asyncProperty(fc.array(anyStep, { minLength: 4, maxLength: 16 }), compare), {
      seed: SEED,
      numRuns: 40,
      endOnFailure: true,
    })
    expect(refusals).toBeGreaterThan(10)
  })
})

/** The transaction that a step makes of what is stored. */
function transactionOf(
  step: Step,
  stored: AgentInputItem[],
  last: SessionHistoryTransactionArgs | undefined,
): SessionHistoryTransactionArgs | undefined {
  if (step.kind === 'append') {
    const { operationId, items } = step
    return { operationId, transaction: { type: 'append_items', items } }
  }
  if (step.kind === 'replace') {
    const { operationId, newest, isOther, items } = step
    const suffix = newest === 0 ? [] : stored.slice(-newest)
    const expectedSuffix = isOther ? [OTHER, ...suffix.slice(1)] : suffix
    return { operationId, transaction: { type: 'replace_suffix', expectedSuffix, replacement: items } }
  }
  if (step.kind !== 'repeat' || !last) return undefined
  const { operationId, transaction } = last
  if (!step.isOther) return structuredClone(last)
  return transaction.type === 'append_items'
    ? { operationId, transaction: { ...transaction, items: [...transaction.items, OTHER] } }
    : { operationId, transaction: { ...transaction, replacement: [...transaction.replacement, OTHER] } }
}

const OTHER: AgentInputItem = { type: 'message', role: 'user', content: 'Something else.' }

async function make(
  session: MemorySession | BackscrollSession,
  step: Step,
  args: SessionHistoryTransactionArgs | undefined,
): Promise<unknown> {
  if (args) return session.applyHistoryTransaction(args)
  if (step.kind === 'get') return session.getItems(step.limit)
  if (step.kind === 'add') return session.addItems(step.items)
  if (step.kind === 'pop') return session.popItem()
  if (step.kind === 'clear') return session.clearSession()
  if (step.kind === 'mutate') return session.applyHistoryMutations({ mutations: step.mutations })
  if (step.kind !== 'compact') return undefined
  if (session instanceof BackscrollSession) return session.replaceHistoryWithCompaction(step.items)
  // Not clearSession, which a run calls where a session cannot replace: that forgets the operations as well.
  while (await session.popItem());
  return session.addItems(step.items)
}

async function outcomeOf(call: () => Promise<unknown>): Promise<{ value?: unknown; error?: unknown }> {
  try {
    return { value: await call() }
  } catch (error) {
    return { error }
  }
}

/** What kind of error it is: ours have a code, and of the SDK's the text tells. */
function codeOf(error: unknown): string | undefined {
  if (error === undefined || error instanceof BackscrollError) return error?.code
  const text = String(error)
  if (text.includes('different transaction')) return 'IDEMPOTENCY_CONFLICT'
  return text.includes('suffix no longer matches') ? 'MESSAGES_CONFLICT' : text
}
