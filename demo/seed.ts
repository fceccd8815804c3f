import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { title } from '../src/cli/print.ts'
import { ConversationTokenBufferMemory, type ConversationStore } from '../src/index.ts'
import type { DemoDatabase } from './database.ts'

/** Whose conversation the example is, and its limit in tokens. */
export const SEED = { userId: 'backscroll-demo', conversationId: 'two-turns', maxTokenLimit: 10 } as const

/** Under which name the other process finds the URL: arguments are there for all users of a machine to see. */
export const URL_VARIABLE = 'BACKSCROLL_DEMO_URL'

/** Saves two turns here and loads them in another process, which prints what it gets. */
export async function saveAndLoadSeed(store: ConversationStore, { url }: DemoDatabase): Promise<void> {
  console.log(title(`\nTwo turns, a limit of ${SEED.maxTokenLimit} tokens`))
  const memory = new ConversationTokenBufferMemory({ store, ...SEED })
  // On a kept database the keys make the second run find the turns of the first.
  await memory.saveContext({ input: 'hi' }, { output: 'whats up' }, { idempotencyKey: 'first' })
  await memory.saveContext({ input: 'not much you' }, { output: 'not much' }, { idempotencyKey: 'second' })
  console.log(`Process ${process.pid} saved both turns.`)
  await runProgram(fileURLToPath(new URL('load-seed.ts', import.meta.url)), { [URL_VARIABLE]: url })
}

async function runProgram(path: string, variables: Readonly<Record<string, string>>): Promise<void> {
  const child = spawn(process.execPath, [...process.execArgv, path], {
    env: { ...process.env, ...variables },
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  const [[code], complaint] = await Promise.all([once(child, 'close'), text(child.stderr)])
  if (code !== 0) throw new Error(`The other process failed: ${complaint}`)
}
