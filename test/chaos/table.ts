import type { Outcome, Scenario } from './scenario.ts'

/** What came of a scenario; without an outcome, it broke off before there was one. */
export interface Line {
  readonly scenario: Scenario
  readonly outcome: Outcome | undefined
  /** Whether every promise was kept. */
  readonly kept: boolean
}

const HEAD = [
  'fault',
  'faults injected',
  'calls',
  'acknowledged',
  'outcome unknown',
  'unavailable',
  'lost',
  'doubled',
  'gaps',
  'longest call / deadline',
  'unhandled errors',
]

/** A table for `docs/reliability.md`. */
export function markdownTable(lines: readonly Line[]): string {
  const rows = lines.map(({ scenario, outcome }) => [
    scenario.fault,
    ...(outcome ? cellsOf(outcome) : HEAD.slice(1).map(() => 'failed')),
  ])
  return [HEAD, HEAD.map((_, column) => (column === 0 ? '---' : '--:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')
}

/** The numbers of an outcome on one line. */
export function oneLineOf(outcome: Outcome): string {
  return cellsOf(outcome)
    .map((cell, index) => `${HEAD[index + 1]} ${cell}`)
    .join(', ')
}

function cellsOf(outcome: Outcome): string[] {
  const { faults, calls, acknowledged, unknown, unavailable, lost, doubled, gaps } = outcome
  const counts = [faults, calls, acknowledged, unknown, unavailable, lost, doubled, gaps]
  const time =
    outcome.deadlineMs === 0 ? '' : `${inSeconds(outcome.worstMs)} / ${inSeconds(outcome.deadlineMs)}`
  return [...counts.map(inThousands), time, inThousands(outcome.unhandled)]
}

function inThousands(number: number): string {
  return number.toLocaleString('en-US')
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
