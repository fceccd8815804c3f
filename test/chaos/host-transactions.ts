import { expectConsistent, runSql } from '../support/inspect.ts'
import { run } from '../support/processes/program.ts'
import type { Transacted, TransactingHostOptions } from '../support/processes/transacting-host.ts'
import { randomFrom } from '../support/texts.ts'
import { killBackends, untilDisconnected } from './backends.ts'
import { BrokenPromise, type Outcome, type Scenario } from './scenario.ts'
import { newTarget } from './target.ts'
import { underLoad } from './under-load.ts'

const FAULTS = { short: 6, full: 100 }
/** Seldom enough that a host which is ended comes to work again. */
const EVERY_MS = 200
/** How long a host may take to end by itself, in milliseconds. */
const MAX_ENDING_MS = 10_000
const KEY = { userId: 'ada', conversationId: 'c' }

/**
 * Backends are ended in the midst of a host's own transactions, each of which stores a turn and a row of the host's.
 * The host is a process of its own: postgres.js 3.4.9 ends it by an exception that nobody can catch, or never answers. It
 * is then started again. That it lives is no promise of ours; what it was told had committed is.
 */
export const hostTransactions: Scenario = {
  name: 'host-transactions',
  fault: "backend terminated within the host's transactions",
  async run({ server, size, seed }) {
    const target = await newTarget(server)
    await runSql(target, 'create table notes (content text primary key)')
    const transacted: Transacted[] = []
    const deaths: string[] = []

    const host = async (signal: AbortSignal) => {
      for (let life = 1; !signal.aborted; life++) {
        const options: TransactingHostOptions = { ...KEY, url: target.url, name: `life ${life}`, callers: 8 }
        const program = run('transacting-host', options)
        const end = () => {
          program.process.stdin?.end()
          // Its transactions may wait for ever for a connection that has died.
          setTimeout(() => program.process.kill('SIGKILL'), MAX_ENDING_MS).unref()
        }
        signal.addEventListener('abort', end, { once: true })
        for (let line = await program.next(); line !== undefined; line = await program.next()) {
          transacted.push(line as Transacted)
        }
        signal.removeEventListener('abort', end)
        if ((await program.exit) !== 0) deaths.push(program.errors)
      }
    }
    const kills = { faults: FAULTS[size], everyMs: EVERY_MS, random: randomFrom(seed) }
    const faults = await underLoad([host], (signal) => killBackends(server, target, kills, signal))

    // A host that was ended may have left a COMMIT on its way.
    await untilDisconnected(server, target)
    const rows = await expectConsistent(target, KEY)
    const turns = rows.map(({ content }) => content)
    const notes = (await runSql(target, 'select content from notes')).map(({ content }) => String(content))
    const committed = transacted.filter(({ isCommitted }) => isCommitted)
    const outcome: Outcome = {
      faults,
      calls: transacted.length,
      acknowledged: committed.length,
      unknown: transacted.length - committed.length,
      unavailable: 0,
      lost: committed.filter(({ content }) => !turns.includes(content)).length,
      doubled: turns.length - new Set(turns).size,
      gaps: rows.filter(({ position }, index) => position !== index + 1).length,
      worstMs: 0,
      deadlineMs: 0,
      unhandled: deaths.length,
    }
    const foreign = deaths.filter((errors) => errors !== '' && !/postgres.*connection\.js/s.test(errors))
    const broken = [
      ...(outcome.lost + outcome.doubled + outcome.gaps > 0 ? ['turns were lost, doubled or left out'] : []),
      ...turns
        .filter((content) => !notes.includes(content))
        .map((content) => `a turn without its row: ${content}`),
      ...notes
        .filter((content) => !turns.includes(content))
        .map((content) => `a row without its turn: ${content}`),
      ...(committed.length === 0 ? ['nothing was committed'] : []),
      ...(faults < FAULTS[size] ? [`only ${faults} faults were injected`] : []),
      ...foreign.map((errors) => `the host ended otherwise: ${errors}`),
    ]
    if (broken.length > 0) throw new BrokenPromise(outcome, broken)
    return outcome
  },
}
