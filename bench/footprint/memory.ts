import type { BuiltPackage } from '../../test/support/built-package.ts'
import { spread } from '../harness/measure.ts'
import type { Report } from '../harness/report.ts'
import { scriptCalls } from './scripts.ts'

/** What stays when all is done that will be done, in bytes. */
interface Memory {
  readonly rss: number
  readonly heapUsed: number
  readonly arrayBuffers: number
}

/** Half a second after the last work, when a collection has run. */
const REST = `
  await new Promise((resolve) => setTimeout(resolve, 500))
  gc()
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage()
  console.log(JSON.stringify({ rss, heapUsed, arrayBuffers }))`

const STORE = `
  import { openStore } from 'backscroll'
  const store = await openStore('sqlite::memory:')`

const SCRIPTS = {
  'bare Node': '',
  'backscroll, imported': "import 'backscroll'",
  'o200k_base, loaded by a store that was closed': `${STORE}
    await store.conversation({ userId: 'ada', conversationId: 'one' }).append([{ role: 'user', content: 'hi' }])
    await store.close()`,
  'a store on SQLite, open': STORE,
  'a store on SQLite, open, and o200k_base': `${STORE}
    await store.conversation({ userId: 'ada', conversationId: 'one' }).append([{ role: 'user', content: 'hi' }])`,
}

/** How much memory a process holds at rest, over one that does nothing. */
export async function reportMemory(report: Report, built: BuiltPackage, processes: number): Promise<void> {
  const names = Object.keys(SCRIPTS) as (keyof typeof SCRIPTS)[]
  const resting = Object.fromEntries(names.map((name) => [name, `${SCRIPTS[name]}\n${REST}`]))
  const calls = Object.entries(scriptCalls(built, resting, ['--expose-gc']))
  const found = new Map<string, Memory[]>(names.map((name) => [name, []]))
  for (let round = 0; round < processes; round++) {
    for (const [name, call] of calls) found.get(name)!.push(JSON.parse(call()) as Memory)
  }
  const median = (name: keyof typeof SCRIPTS, figure: keyof Memory) =>
    spread(found.get(name)!.map((memory) => memory[figure])).median
  report.table(
    `Memory at rest, MB, median of ${processes} processes`,
    names.map((script) => ({
      script,
      RSS: median(script, 'rss') / 1e6,
      'over bare Node': (median(script, 'rss') - median('bare Node', 'rss')) / 1e6,
      heap: median(script, 'heapUsed') / 1e6,
      'array buffers': median(script, 'arrayBuffers') / 1e6,
    })),
  )
}
