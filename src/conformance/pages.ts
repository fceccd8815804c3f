import { check } from './check.ts'
import { expectSame } from './expect.ts'
import { said } from './turns.ts'

const TURNS = 7
const CONVERSATIONS = 5

/** Lists that are read a page at a time. */
export const pagesAreComplete = check(
  'pages of turns and of conversations hold each one once, in order',
  async ({ store, user }) => {
    const userId = user()
    for (let index = 0; index < CONVERSATIONS; index++) {
      await store.conversation({ userId, conversationId: `page ${index}` }).append(said('hi'))
    }
    const conversation = store.conversation({ userId, conversationId: 'page 0' })
    for (let turn = 2; turn <= TURNS; turn++) await conversation.append(said(`turn ${turn}`))
    const turns = await conversation.listTurns()
    for (const [range, first, last] of [
      [{ limit: 3 }, 1, 3],
      [{ after: 3, limit: 3 }, 4, 6],
      [{ after: 6 }, 7, 7],
      [{ after: 7 }, 8, 7],
      [{ before: 8, limit: 3 }, 5, 7],
      [{ before: 3 }, 1, 2],
      [{ before: 1 }, 1, 0],
      [{ after: 2, before: 6 }, 3, 5],
    ] as const) {
      const what = `turns ${JSON.stringify(range)} of ${TURNS}`
      expectSame(what, await conversation.listTurns(range), turns.slice(first - 1, last))
    }

    const all = await store.listConversations(userId)
    expectSame('the number of conversations', all.length, CONVERSATIONS)
    for (const limit of [1, 2, CONVERSATIONS]) {
      const paged: unknown[] = []
      let before: string | undefined
      do {
        const page = await store.listConversations(userId, { limit, before })
        expectSame('a page is no longer than its limit, which', page.length > limit, false)
        paged.push(...page)
        before = page.at(-1)?.cursor
      } while (before !== undefined && paged.length <= all.length)
      expectSame(`conversations in pages of ${limit}`, paged, all)
    }
  },
)
