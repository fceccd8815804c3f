import { checkHistory, tally, type Note } from '../support/history.ts'
import { expectConsistent, oneTo, runSql } from '../support/inspect.ts'
import { runClients, type ClientsOptions } from './clients.ts'
import { progress } from './progress.ts'
import type { Scenario } from './scenario.ts'
import { newTarget, openOn } from './target.ts'
import { underLoad } from './under-load.ts'

const CRASHES = { short: 1, full: 10 }
const TURNS_BEFORE = 1000
const DEADLINE_MS = 5000

/** Shows what `synchronous_commit = off` loses when the server crashes: the newest turns, though acknowledged. */
export const asynchronousCommit: Scenario = {
  name: 'asynchronous-commit',
  fault: 'every server process killed, synchronous_commit = off',
  isDemonstration: true,
  async run({ server, size, seed }) {
    const sum = { calls: 0, acknowledged: 0, unknown: 0, lost: 0, gaps: 0 }
    for (const crash of oneTo(CRASHES[size])) {
      // Each on a database of its own: what is written after a loss takes the positions of what was lost.
      const target = await newTarget(server)
      const database = new URL(target.url).pathname.slice(1)
      await runSql(target, `alter database ${database} set synchronous_commit = off`)
      const { store, close } = await openOn(target, { deadlineMs: DEADLINE_MS })
      const history: Note[] = []
      const where = { userId: 'ada', conversationIds: oneTo(4).map((number) => `c ${number}`) }
      const clients: ClientsOptions = {
        open: (conversationId) => store.conversation({ ...where, conversationId }),
        conversationIds: where.conversationIds,
        writers: 16,
        readers: 0,
        keyed: 'none',
        deadlineMs: DEADLINE_MS,
        seed: seed + crash,
      }
      await underLoad([(signal) => runClients(clients, history, signal)], async (signal) => {
        await progress(history, TURNS_BEFORE, signal)
        await server.crash()
      })
      await server.startAgain()
      await close()
      const end = new Map()
      for (const conversationId of where.conversationIds) {
        end.set(conversationId, await expectConsistent(target, { ...where, conversationId }))
      }
      const found = checkHistory(history, end)
      const { stored, unknown } = tally(history)
      sum.calls += history.filter(({ ended }) => ended !== undefined).length
      sum.acknowledged += stored
      sum.unknown += unknown
      sum.lost += found.filter(({ kind }) => kind === 'lost').length
      sum.gaps += found.filter(({ kind }) => kind === 'gap').length
    }
    const others = { doubled: 0, unavailable: 0, worstMs: 0, deadlineMs: 0, unhandled: 0 }
    return { faults: CRASHES[size], ...sum, ...others }
  },
}
