import type { LineChart } from '../harness/chart.ts'
import type { Table } from '../harness/report.ts'

/** How long the store takes to load over how long the conversation is: a line for each database and limit. */
export function loadsOverTurns(loads: Table['rows']): LineChart {
  const series = new Map<string, [number, number][]>()
  for (const { database, limit, turns, 'store ms': ms } of loads) {
    const name = `${String(database)}, ${Number(limit).toLocaleString('en-US')} tokens`
    series.set(name, [...(series.get(name) ?? []), [Number(turns), Number(ms)]])
  }
  return {
    title: 'Loading a window, median',
    x: { name: 'turns in the conversation', scale: 'log' },
    y: { name: 'milliseconds', scale: 'log' },
    series: [...series].map(([name, points]) => ({ name, points })),
  }
}
