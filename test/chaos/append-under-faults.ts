import type { Note } from '../support/history.ts'
import { oneTo } from '../support/inspect.ts'
import { runClients, type ClientsOptions } from './clients.ts'
import type { Outcome } from './scenario.ts'
import { openOn, type Target, type Through } from './target.ts'
import { underLoad } from './under-load.ts'
import { watchUnhandled } from './unhandled.ts'
import { judge } from './verdict.ts'

/** What is done to a store while clients append to four conversations, and load from them. */
export interface Ordeal {
  readonly target: Target
  /** Where the store connects to, when something stands before the target. */
  readonly url?: string
  readonly through?: Through
  readonly keyed: ClientsOptions['keyed']
  readonly writers: number
  readonly deadlineMs: number
  readonly seed: number
  readonly leastFaults: number
  /** Injects the faults, and tells how many. `history` grows meanwhile. */
  inject(history: readonly Note[], signal: AbortSignal): Promise<number>
}

const READERS = 2
const WHERE = { userId: 'ada', conversationIds: oneTo(4).map((number) => `conversation ${number}`) }

/** Puts a store through it, and holds what clients were told against what is there. @throws {BrokenPromise} */
export async function appendUnderFaults(ordeal: Ordeal): Promise<Outcome> {
  const { target, url = target.url, through, deadlineMs, leastFaults, inject, ...load } = ordeal
  using unhandled = watchUnhandled()
  const { store, close } = await openOn({ url }, { through, deadlineMs })
  const history: Note[] = []
  const clients: ClientsOptions = {
    open: (conversationId) => store.conversation({ ...WHERE, conversationId }),
    conversationIds: WHERE.conversationIds,
    readers: READERS,
    deadlineMs,
    ...load,
  }
  const faults = await underLoad([(signal) => runClients(clients, history, signal)], (signal) =>
    inject(history, signal),
  )
  await close()
  return await judge({
    database: target,
    ...WHERE,
    history,
    faults,
    leastFaults,
    deadlineMs,
    unhandled: unhandled.errors,
  })
}
