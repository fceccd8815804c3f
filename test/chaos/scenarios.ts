import { asynchronousCommit } from './asynchronous-commit.ts'
import { cutConnections } from './cut-connections.ts'
import { droppedUnderKills } from './dropped-under-kills.ts'
import { hostTransactions } from './host-transactions.ts'
import { killedBackends } from './killed-backends.ts'
import { killedWriters } from './killed-writers.ts'
import { restarts } from './restarts.ts'
import type { Scenario } from './scenario.ts'
import { serverDown } from './server-down.ts'

/**
 * All scenarios, in the order of the table. First those in which the server has to recover: it then looks through every
 * file that it has, and each scenario adds a database.
 */
export const SCENARIOS: readonly Scenario[] = [
  restarts('stopImmediately'),
  restarts('crash'),
  serverDown,
  killedBackends('openStore', { keyed: true }),
  killedBackends('openStore', { keyed: false }),
  killedBackends('host', { keyed: true }),
  killedBackends('host', { keyed: false }),
  droppedUnderKills,
  hostTransactions,
  cutConnections,
  killedWriters,
  asynchronousCommit,
]
