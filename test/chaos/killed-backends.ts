import { randomFrom } from '../support/texts.ts'
import { appendUnderFaults } from './append-under-faults.ts'
import { killBackends } from './backends.ts'
import type { Scenario } from './scenario.ts'
import { newTarget, type Through } from './target.ts'

const FAULTS = { short: 60, full: 1000 }
const EVERY_MS = 15

/** Backends are ended while clients append and load. */
export function killedBackends(through: Through, { keyed }: { keyed: boolean }): Scenario {
  const keys = keyed ? 'with keys' : 'without keys'
  return {
    name: `killed-backends-${through === 'host' ? 'of-a-host-' : ''}${keys.replace(' ', '-')}`,
    fault: `backend terminated; ${through === 'host' ? "host's drizzle" : 'own pool'}, appends ${keys}`,
    async run({ server, size, seed }) {
      const target = await newTarget(server)
      const kills = { faults: FAULTS[size], everyMs: EVERY_MS, random: randomFrom(seed) }
      return appendUnderFaults({
        target,
        through,
        keyed: keyed ? 'all' : 'none',
        writers: 24,
        deadlineMs: 5000,
        seed,
        leastFaults: FAULTS[size],
        inject: (_, signal) => killBackends(server, target, kills, signal),
      })
    },
  }
}
