import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { AppOptions, Second } from './app.ts'

const APP = fileURLToPath(new URL('app.ts', import.meta.url))

/**
 * Runs apps at the same time, each in a process of its own, and lets them begin together. Gives the seconds of each.
 *
 * @throws {Error} when one of them ends with an error, which it has then printed.
 */
export async function runApps(apps: readonly AppOptions[]): Promise<Second[][]> {
  const children = apps.map((app) => fork(APP, [JSON.stringify(app)], { execArgv: ['--import', 'tsx'] }))
  try {
    await Promise.all(children.map(isReady))
    const seconds = children.map(secondsOf)
    for (const child of children) child.send('go')
    return await Promise.all(seconds)
  } finally {
    for (const child of children) child.kill()
  }
}

async function isReady(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit').then(() => {
    throw new Error('An app ended before it began.')
  })
  await Promise.race([once(child, 'message'), ended])
}

async function secondsOf(child: ChildProcess): Promise<Second[]> {
  const seconds: Second[] = []
  child.on('message', (second: Second) => seconds.push(second))
  // What it has told is all there once its channel is closed.
  const [[code]] = (await Promise.all([once(child, 'exit'), once(child, 'disconnect')])) as [
    [number | null],
    [],
  ]
  if (code !== 0) throw new Error(`An app ended with ${code ?? 'a signal'}.`)
  return seconds
}
