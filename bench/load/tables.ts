import { spread } from '../harness/measure.ts'
import type { Report, Table } from '../harness/report.ts'
import type { Second } from './app.ts'
import { CLIENTS, MAX_TOKENS, type Run } from './run.ts'

/** Prints what came of the runs. */
export function printTables(report: Report, runs: readonly Run[]): void {
  report.table(
    `Chat steps of ${CLIENTS} clients: load a window of ${MAX_TOKENS.toLocaleString('en-US')} tokens, then append a turn`,
    runs.map(toSteps),
  )
  report.table('Milliseconds of each call', runs.flatMap(toCalls))
  report.table('What was acknowledged, against what is stored', runs.map(toStored))
  report.table(
    'The process: event loop lateness by tenths of a second, and resident memory',
    runs.flatMap(toProcesses),
  )
  const withConnections = runs.filter((run) => run.connections.length > 0)
  if (withConnections.length > 0) report.table('Connections to Postgres', withConnections.map(toConnections))
}

/** Milliseconds of each whole step in some seconds. */
export function stepTimes(seconds: readonly Second[]): number[] {
  return seconds.flatMap(({ loads, appends }) => loads.map((load, at) => load + appends[at]!))
}

type Row = Table['rows'][number]

function toSteps({ name, processes }: Run): Row {
  const all = processes.flat()
  const count = sum(all.map(({ loads }) => loads.length))
  const perSecond = processes.map((seconds) => {
    return sum(seconds.map(({ loads }) => loads.length)) / (sum(seconds.map(({ took }) => took)) / 1000)
  })
  const errors = new Map<string, number>()
  for (const second of all) {
    for (const [code, times] of Object.entries(second.errors))
      errors.set(code, (errors.get(code) ?? 0) + times)
  }
  return {
    database: name,
    processes: processes.length,
    steps: count,
    'steps a second': sum(perSecond),
    'turns a window': sum(all.map(({ loadedTurns }) => loadedTurns)) / count,
    errors: [...errors].map(([code, times]) => `${code}: ${times}`).join(', ') || '0',
  }
}

function toCalls({ name, processes }: Run): Row[] {
  const all = processes.flat()
  const times = {
    load: all.flatMap(({ loads }) => loads),
    append: all.flatMap(({ appends }) => appends),
    step: stepTimes(all),
  }
  return Object.entries(times).map(([call, figures]) => {
    const { median, p95, p99, max } = spread(figures)
    return { database: name, call, p50: median, p95, p99, max }
  })
}

function toStored({ name, proof }: Run): Row {
  const { acknowledged, conversations, lost, doubled, miscounted } = proof
  return { database: name, acknowledged, lost, doubled, conversations, 'of another length': miscounted }
}

function toProcesses({ name, processes }: Run): Row[] {
  return processes.map((seconds, at) => {
    const { p99, max } = spread(seconds.flatMap(({ lateness }) => lateness))
    const memory = seconds.map(({ rss }) => rss / 1e6)
    const row = { database: name, process: at + 1, 'late p99 ms': p99, 'late max ms': max }
    const [first, middle, last] = [memory[0]!, memory[memory.length >> 1]!, memory.at(-1)!]
    return { ...row, 'first MB': first, 'middle MB': middle, 'last MB': last, 'max MB': Math.max(...memory) }
  })
}

function toConnections({ name, connections }: Run): Row {
  const open = connections.map((count) => count.open)
  const busy = connections.map((count) => count.busy)
  return {
    through: name,
    'most open': Math.max(...open),
    'most busy': Math.max(...busy),
    'busy p50': spread(busy).median,
  }
}

function sum(figures: readonly number[]): number {
  return figures.reduce((total, figure) => total + figure, 0)
}
