import { WrongArgumentsError } from '../src/cli/arguments.ts'
import { oneLine, stopWithReader } from '../src/cli/print.ts'
import { openStore } from '../src/index.ts'
import { HELP, parseArguments, type Arguments } from './arguments.ts'
import { fillAndCompare } from './compare.ts'
import { storeAndShow } from './conversations.ts'
import { demoDatabase } from './database.ts'
import { saveAndLoadSeed } from './seed.ts'
import { talk } from './talk.ts'

stopWithReader()
process.exitCode = await main(process.argv.slice(2))

/** Runs the demo and gives its exit code: 0 fine, 1 failed, 2 wrong arguments. An error is one line. */
async function main(args: readonly string[]): Promise<number> {
  try {
    const chosen = parseArguments(args)
    if (chosen === 'help') console.log(HELP)
    else await run(chosen)
    return 0
  } catch (error) {
    console.error(`demo: ${oneLine(error)}`)
    return error instanceof WrongArgumentsError ? 2 : 1
  }
}

async function run({ database: url, file, keep, limit, turns }: Arguments): Promise<void> {
  const database = demoDatabase(url, { keep })
  const store = await openStore(database.url)
  try {
    console.log(`Database: ${database.shown}${database.temporary ? ' (removed at the end)' : ''}`)
    if (file === undefined) {
      await saveAndLoadSeed(store, database)
      await talk(store)
      await fillAndCompare(store, database, { turns, limit })
    } else {
      await storeAndShow(store, { file, limit })
    }
  } finally {
    await store.close()
  }
  if (!database.temporary) console.log(`Kept: ${database.shown}`)
}
