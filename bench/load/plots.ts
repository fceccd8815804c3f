import type { LineChart } from '../harness/chart.ts'
import { spread } from '../harness/measure.ts'
import type { Report } from '../harness/report.ts'
import type { Second } from './app.ts'
import type { Run } from './run.ts'
import { stepTimes } from './tables.ts'

const seconds = { name: 'seconds' }

/** Draws the runs over time. */
export function drawPlots(report: Report, runs: readonly Run[]): void {
  report.lines('throughput', {
    title: 'Chat steps a second',
    x: seconds,
    y: { name: 'steps a second' },
    series: runs.map((run) => ({ name: run.name, points: points(eachSecond(run), throughput) })),
  })
  report.lines('latency', {
    title: 'Milliseconds of a chat step',
    x: seconds,
    y: { name: 'ms', scale: 'log' },
    series: runs.flatMap((run) => [
      { name: `${run.name}, p50`, points: points(eachSecond(run), (all) => spread(stepTimes(all)).median) },
      { name: `${run.name}, p99`, points: points(eachSecond(run), (all) => spread(stepTimes(all)).p99) },
    ]),
  })
  report.lines('memory', {
    title: 'Resident memory of a process',
    x: seconds,
    y: { name: 'MB' },
    series: runs.flatMap(({ name, processes }) =>
      processes.map((process, at) => ({
        name: processes.length > 1 ? `${name}, process ${at + 1}` : name,
        points: points(process, ({ rss }) => rss / 1e6),
      })),
    ),
  })
  const withConnections = runs.filter((run) => run.connections.length > 0)
  if (withConnections.length === 0) return
  report.lines('connections', {
    title: 'Connections to Postgres',
    x: { name: 'seconds, the warm-up included' },
    y: { name: 'connections' },
    series: withConnections.flatMap(({ name, connections }) => [
      { name: `${name}, open`, points: points(connections, ({ open }) => open) },
      { name: `${name}, busy`, points: points(connections, ({ busy }) => busy) },
    ]),
  })
}

type Points = LineChart['series'][number]['points']

function points<T>(all: readonly T[], figure: (one: T) => number): Points {
  return all.map((one, at) => [at + 1, figure(one)])
}

/** A run's seconds, each of all its processes. */
function eachSecond({ processes }: Run): Second[][] {
  const longest = Math.max(...processes.map((process) => process.length))
  return Array.from({ length: longest }, (_, at) => processes.flatMap((process) => process[at] ?? []))
}

function throughput(all: readonly Second[]): number {
  return all.reduce((total, { loads, took }) => total + (loads.length / took) * 1000, 0)
}
