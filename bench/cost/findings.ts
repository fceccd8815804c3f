import type { LineChart } from '../harness/chart.ts'
import type { Report } from '../harness/report.ts'
import type { ReplayedWindow, Usage } from './replay.ts'

/** What a replay found. */
export interface Findings {
  readonly chats: number
  /** Of the system prompt. */
  readonly systemTokens: number
  /** With the whole history in each request. */
  readonly whole: Usage
  readonly windows: readonly ReplayedWindow[]
}

/**
 * What a cached token costs, as shares of what another one does: with gpt-5.2, gpt-4.1 and gpt-4o. Writing to the cache is
 * free with these. Source: OpenAI cookbook, "Prompt Caching 201", 2.2; read in November 2026.
 */
const CACHED_PRICES = [0.1, 0.25, 0.5]
const DRAWN_PRICE = 0.1

/** Prints what the windows held and what they cost, and draws it. */
export function reportFindings(report: Report, { chats, systemTokens, whole, windows }: Findings): void {
  report.table('What was replayed, and the whole history of it sent each time', [
    {
      chats,
      turns: whole.turns,
      requests: whole.requests,
      'system prompt, tokens': systemTokens,
      'prompt tokens': whole.promptTokens,
      'cached, %': percent(whole.cachedTokens, whole.promptTokens),
    },
  ])
  report.table(
    'What is sent with a window',
    windows.map(({ maxTokens, retentionRatio, usage }) => ({
      limit: maxTokens,
      ratio: retentionRatio,
      'turns with more history, %': percent(usage.outgrownTurns, usage.turns),
      'prompt tokens': usage.promptTokens,
      'cached, %': percent(usage.cachedTokens, usage.promptTokens),
    })),
  )
  report.table(
    'Tokens of history that the model sees once there are more than the limit; the bill for input, by the price of a cached token',
    windows.map((window) => ({
      limit: window.maxTokens,
      ratio: window.retentionRatio,
      history: historySeen(window.usage),
      ...percentages('ratio 1', window.usage, exactOf(window, windows)),
      ...percentages('whole', window.usage, whole),
    })),
  )
  report.lines('ratio', billOverRatio(windows))
  report.lines('history', billOverHistory(windows))
}

function percentages(name: string, usage: Usage, other: Usage): Record<string, number> {
  return Object.fromEntries(
    CACHED_PRICES.map((price) => [`${price}: % of ${name}`, percent(bill(usage, price), bill(other, price))]),
  )
}

function billOverRatio(windows: readonly ReplayedWindow[]): LineChart {
  const share = (window: ReplayedWindow) =>
    percent(bill(window.usage, DRAWN_PRICE), bill(exactOf(window, windows), DRAWN_PRICE))
  const limits = new Set(windows.map(({ maxTokens }) => maxTokens))
  return {
    title: `The bill for input, a cached token at ${DRAWN_PRICE} of the price`,
    x: { name: 'retentionRatio' },
    y: { name: '% of the bill at ratio 1' },
    series: Array.from(limits, (limit) => ({
      name: `limit ${limit.toLocaleString('en-US')}`,
      points: windows
        .filter(({ maxTokens }) => maxTokens === limit)
        .map((window) => [window.retentionRatio, share(window)]),
    })),
  }
}

function billOverHistory(windows: readonly ReplayedWindow[]): LineChart {
  const ratios = new Set(windows.map(({ retentionRatio }) => retentionRatio))
  return {
    title: `What the model sees and what it costs, a cached token at ${DRAWN_PRICE} of the price`,
    x: { name: 'tokens of history that the model sees' },
    y: { name: 'bill a request, in tokens' },
    series: Array.from(ratios, (ratio) => ({
      name: `ratio ${ratio}`,
      points: windows
        .filter(({ retentionRatio, usage }) => retentionRatio === ratio && usage.outgrownTurns > 0)
        .map(({ usage }) => [historySeen(usage)!, bill(usage, DRAWN_PRICE) / usage.requests]),
    })),
  }
}

/** What the window of the same limit came to that slides with each turn. */
function exactOf({ maxTokens }: ReplayedWindow, windows: readonly ReplayedWindow[]): Usage {
  return windows.find((other) => other.maxTokens === maxTokens && other.retentionRatio === 1)!.usage
}

/** What the input costs: in tokens at the full price. */
function bill({ promptTokens, cachedTokens }: Usage, cachedPrice: number): number {
  return promptTokens - cachedTokens + cachedPrice * cachedTokens
}

/** Tokens a turn, of the turns whose history is longer than the limit; null if there are none. */
function historySeen({ outgrownTurns, outgrownHistoryTokens }: Usage): number | null {
  return outgrownTurns === 0 ? null : Math.round(outgrownHistoryTokens / outgrownTurns)
}

function percent(part: number, whole: number): number {
  return (100 * part) / whole
}
