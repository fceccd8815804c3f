import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { runSql } from '../support/inspect.ts'
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts'
import { BrokenPromise, type Outcome, type Scenario, type Surroundings } from './scenario.ts'
import { SCENARIOS } from './scenarios.ts'
import { markdownTable, oneLineOf, type Line } from './table.ts'

const HELP = `Injects faults into stores under load, and counts what was lost. Brings its own PostgreSQL.

  npm run chaos                    every scenario in full, some six minutes
  npm run chaos -- --short         every scenario in the form that CI runs
  npm run chaos -- --only NAME     one of them; ${SCENARIOS.filter(({ isDemonstration }) => isDemonstration).map(({ name }) => name)} runs only so
  npm run chaos -- --seed N        another draw; 1 by default

${SCENARIOS.map(({ name, fault }) => `  ${name.padEnd(40)} ${fault}`).join('\n')}`

const OPTIONS = {
  short: { type: 'boolean' },
  seed: { type: 'string', default: '1' },
  only: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

const SEE_HELP = 'See: npm run chaos -- --help'

process.exitCode = await main(process.argv.slice(2))

/** Gives the exit code: 1 when a promise broke, 2 when the arguments are wrong. */
async function main(args: string[]): Promise<number> {
  const options = optionsOf(args)
  if (!options) return 2
  const { short, seed, only, help } = options
  if (help) {
    console.log(HELP)
    return 0
  }
  const chosen = SCENARIOS.filter(({ name, isDemonstration }) => (only ? name === only : !isDemonstration))
  if (chosen.length === 0 || !/^\d+$/.test(seed)) {
    console.error(`--only takes a name of the list, --seed a whole number. ${SEE_HELP}`)
    return 2
  }
  const server = await startPostgres()
  try {
    await printSurroundings(server, seed)
    const lines: Line[] = []
    for (const scenario of chosen) {
      lines.push(await runOne(scenario, { server, size: short ? 'short' : 'full', seed: Number(seed) }))
    }
    console.log(`\n${markdownTable(lines)}`)
    return lines.every(({ kept }) => kept) ? 0 : 1
  } finally {
    await server.stop()
  }
}

/** Undefined, and one line that says why, where they are wrong. */
function optionsOf(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS }).values
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    console.error(`${error.message}. ${SEE_HELP}`)
    return undefined
  }
}

async function printSurroundings({ url }: PostgresServer, seed: string): Promise<void> {
  const [row] = await runSql({ name: 'postgres', url }, 'show server_version')
  const versions = `Node ${process.version}, PostgreSQL ${String(row?.['server_version'])}`
  console.log(
    `${availableParallelism()} cores, ${versions}, ${new Date().toISOString().slice(0, 10)}, seed ${seed}`,
  )
}

async function runOne(scenario: Scenario, surroundings: Surroundings): Promise<Line> {
  const start = performance.now()
  const say = (text: string) => {
    const seconds = ((performance.now() - start) / 1000).toFixed(0)
    console.log(`${scenario.name} (${seconds} s): ${text}`)
  }
  try {
    const outcome = await scenario.run(surroundings)
    say(oneLineOf(outcome))
    return { scenario, outcome, kept: true }
  } catch (error) {
    const outcome: Outcome | undefined = error instanceof BrokenPromise ? error.outcome : undefined
    say(`BROKEN\n${error instanceof Error ? error.stack : String(error)}`)
    return { scenario, outcome, kept: false }
  }
}
