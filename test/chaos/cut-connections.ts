import { setTimeout } from 'node:timers/promises'
import { startProxy, type Effect, type PostgresProxy } from '../support/faults/proxy.ts'
import { randomFrom, type Random } from '../support/texts.ts'
import { appendUnderFaults } from './append-under-faults.ts'
import type { Scenario } from './scenario.ts'
import { newTarget } from './target.ts'

const FAULTS = { short: 60, full: 1000 }
/** One of so many messages is hit. */
const ONE_OF = 60
/** Of what a client sends. Half of them lose the answer to what was carried out: to an append, that of its COMMIT. */
const CLIENT_EFFECTS: readonly Effect[] = ['cut after', 'cut after', 'cut before', 'cut within']
/** Of what the server answers. */
const SERVER_EFFECTS: readonly Effect[] = ['cut before', 'cut within', 'cut after']

/** Connections are cut on the wire, at random: before, within and after a message, of the client or of the server. */
export const cutConnections: Scenario = {
  name: 'cut-connections',
  fault: 'connection cut before, within or after a message',
  async run({ server, size, seed }) {
    const target = await newTarget(server)
    await using proxy = await startProxy(target.url)
    return await appendUnderFaults({
      target,
      url: proxy.url,
      keyed: 'half',
      writers: 24,
      deadlineMs: 5000,
      seed,
      leastFaults: FAULTS[size],
      inject: (_, signal) => cutAgainAndAgain(proxy, FAULTS[size], randomFrom(seed), signal),
    })
  },
}

/** Gives how many messages were hit. */
async function cutAgainAndAgain(
  proxy: PostgresProxy,
  faults: number,
  random: Random,
  signal: AbortSignal,
): Promise<number> {
  let struck = 0
  while (struck < faults && !signal.aborted) {
    const at = 1 + random.below(2 * ONE_OF)
    const fault =
      random.below(2) === 0
        ? proxy.inject({ of: 'client', at, effect: random.pick(CLIENT_EFFECTS) })
        : proxy.inject({ of: 'server', at, effect: random.pick(SERVER_EFFECTS) })
    while (fault.struck === 0 && !signal.aborted) await setTimeout(1)
    struck += fault.struck
  }
  await proxy.heal()
  await proxy.quiet()
  return struck
}
