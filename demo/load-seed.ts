import { oneLine, stopWithReader } from '../src/cli/print.ts'
import { ConversationTokenBufferMemory, openStore } from '../src/index.ts'
import { SEED, URL_VARIABLE } from './seed.ts'

stopWithReader()

// The example's other process: it knows nothing but the database, and prints what the memory holds.
try {
  const store = await openStore(process.env[URL_VARIABLE] ?? '')
  try {
    console.log(`Process ${process.pid} loaded the newest, which is all that fits, as one string:`)
    console.log(await new ConversationTokenBufferMemory({ store, ...SEED }).loadMemoryVariables({}))
    console.log('and as messages (returnMessages: true):')
    const memory = new ConversationTokenBufferMemory({ store, ...SEED, returnMessages: true })
    console.log(await memory.loadMemoryVariables({}))
  } finally {
    await store.close()
  }
} catch (error) {
  console.error(oneLine(error))
  process.exitCode = 1
}
