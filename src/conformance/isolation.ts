import type { ConversationStore } from '../index.ts'
import { check } from './check.ts'
import { codeOf, expectSame } from './expect.ts'
import { hostileTurn, said } from './turns.ts'

const KEY = 'key'
const CONVERSATION = 'shared name'

/**
 * Every method that asks the database something, as a user calls it who has no conversation of that name; and what it
 * gives then. The first ones leave nothing behind.
 */
const CALLS: readonly (readonly [
  what: string,
  call: (store: ConversationStore, userId: string) => Promise<unknown>,
  promised: unknown,
])[] = [
  ['listTurns', (store, userId) => own(store, userId).listTurns(), []],
  ['listTurns before', (store, userId) => own(store, userId).listTurns({ before: 99 }), []],
  ['listTurns after', (store, userId) => own(store, userId).listTurns({ after: 1 }), []],
  ['findTurn', (store, userId) => own(store, userId).findTurn(KEY), undefined],
  ['countedAs', (store, userId) => own(store, userId).countedAs(), undefined],
  ['loadWindow', (store, userId) => sizeOf(store, userId, 1), [0, 0, 0, 0]],
  ['loadWindow in steps', (store, userId) => sizeOf(store, userId, 0.5), [0, 0, 0, 0]],
  ['rewind', (store, userId) => own(store, userId).rewind({ to: 1 }), { turns: 0 }],
  ['clear', (store, userId) => own(store, userId).clear(), { turns: 0 }],
  ['recount', (store, userId) => own(store, userId).recount({ framing: 'chat' }), { turns: 0 }],
  ['listConversations', (store, userId) => store.listConversations(userId), []],
  ['forgetUser', (store, userId) => store.forgetUser(userId), { conversations: 0, turns: 0 }],
  [
    'append behind the last turn of the other',
    (store, userId) => own(store, userId).append(said('not here'), { expectedPosition: 2 }).catch(codeOf),
    'POSITION_CONFLICT',
  ],
  ['append', (store, userId) => placeOf(store, userId, 'mine'), { position: 1, replayed: false }],
  [
    'append under the key',
    (store, userId) => placeOf(store, userId, 'mine too', KEY),
    { position: 2, replayed: false },
  ],
  ['setMetadata', (store, userId) => own(store, userId).setMetadata({ by: 'another' }), undefined],
  ['recount of its own', (store, userId) => own(store, userId).recount({ framing: 'chat' }), { turns: 2 }],
  ['rewind of its own', (store, userId) => own(store, userId).rewind({ to: 1 }), { turns: 1 }],
  ['clear of its own', (store, userId) => own(store, userId).clear(), { turns: 1 }],
  ['forgetUser of its own', (store, userId) => store.forgetUser(userId), { conversations: 1, turns: 0 }],
]

/** Two users with a conversation of one name, and one key in it. */
export const usersAreApart = check(
  "no call with one user's id reads, changes or drops what is another user's",
  async ({ store, random, user }) => {
    const [owner, other] = [user('owner'), user('other')]
    await own(store, owner).append(hostileTurn(random), { idempotencyKey: KEY, metadata: { of: 'owner' } })
    await own(store, owner).append(hostileTurn(random))
    await own(store, owner).setMetadata({ of: 'owner' })
    const before = await everythingOf(store, owner)
    for (const [what, call, promised] of CALLS) {
      expectSame(`${what}, by another user,`, await call(store, other), promised)
      expectSame(`what the owner has after ${what} by another user`, await everythingOf(store, owner), before)
    }
  },
)

function own(store: ConversationStore, userId: string) {
  return store.conversation({ userId, conversationId: CONVERSATION })
}

/** What a window holds and leaves out, in numbers. */
async function sizeOf(store: ConversationStore, userId: string, retentionRatio: number): Promise<number[]> {
  const { turns, tokenCount, omittedTurns, omittedTokens } = await own(store, userId).loadWindow({
    maxTokens: 1_000_000,
    retentionRatio,
  })
  return [turns.length, tokenCount, omittedTurns, omittedTokens]
}

async function placeOf(store: ConversationStore, userId: string, content: string, idempotencyKey?: string) {
  const { position, replayed } = await own(store, userId).append(said(content), { idempotencyKey })
  return { position, replayed }
}

async function everythingOf(store: ConversationStore, userId: string) {
  return {
    turns: await own(store, userId).listTurns(),
    keyed: await own(store, userId).findTurn(KEY),
    window: await own(store, userId).loadWindow({ maxTokens: 1_000_000 }),
    conversations: await store.listConversations(userId),
    countedAs: await own(store, userId).countedAs(),
  }
}
