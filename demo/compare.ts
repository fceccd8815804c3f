import { count, table, title } from '../src/cli/print.ts'
import type { Conversation, ConversationStore, Window } from '../src/index.ts'
import type { DemoDatabase } from './database.ts'
import { fill, NEWEST } from './fill.ts'
import { machine, ms } from './print.ts'

/** Loads of each window that are timed, and those before them that are not, while the code gets warm. */
const LOADS = 500
const WARM_UP = 50

/** Fills a short and a long conversation with the same newest turns, and shows what loading the window of each takes. */
export async function fillAndCompare(
  store: ConversationStore,
  database: DemoDatabase,
  { turns, limit }: { turns: number; limit: number },
): Promise<void> {
  console.log(title(`\n${count(turns)} turns in one conversation`))
  const short = await fill(store, database, NEWEST)
  const long = await fill(store, database, turns)
  const timed = await timeLoads(short, long, limit)
  console.log(`\nThe window under a limit of ${count(limit)} tokens, median of ${LOADS} loads of each:\n`)
  console.log(
    table(
      ['turns stored', 'turns returned', 'tokens returned', 'turns left out', 'tokens left out', 'load'],
      timed.map(({ window, medianMs }) => [
        count(window.turns.length + window.omittedTurns),
        count(window.turns.length),
        count(window.tokenCount),
        count(window.omittedTurns),
        count(window.omittedTokens),
        ms(medianMs),
      ]),
    ),
  )
  console.log(`\n${machine()}`)
  console.log(
    `The long conversation has ${count(turns / NEWEST)} times the turns of the short one, and loads in ` +
      `${(timed[1].medianMs / timed[0].medianMs).toFixed(2)} times the time: a load reads what it returns, not what it ` +
      'leaves out.',
  )
}

interface Timed {
  readonly window: Window
  readonly medianMs: number
}

/** Loads the two in turn, so that a busy moment of the machine falls on both. */
async function timeLoads(short: Conversation, long: Conversation, limit: number): Promise<[Timed, Timed]> {
  for (let loads = 0; loads < WARM_UP; loads++) {
    await short.loadWindow({ maxTokens: limit })
    await long.loadWindow({ maxTokens: limit })
  }
  const times: { short: number[]; long: number[] } = { short: [], long: [] }
  for (let loads = 0; loads < LOADS; loads++) {
    const start = performance.now()
    await short.loadWindow({ maxTokens: limit })
    const between = performance.now()
    await long.loadWindow({ maxTokens: limit })
    times.short.push(between - start)
    times.long.push(performance.now() - between)
  }
  return [
    { window: await short.loadWindow({ maxTokens: limit }), medianMs: median(times.short) },
    { window: await long.loadWindow({ maxTokens: limit }), medianMs: median(times.long) },
  ]
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? NaN
}
