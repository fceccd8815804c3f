import { setTimeout } from 'node:timers/promises'
import { BackscrollError, OutcomeUnknownError } from '../../src/index.ts'
import type { Anomaly, AppendCall, Placed } from '../support/history.ts'

/** A rewind, or the erasure of a user, which drops all turns. */
export interface Drop {
  /** Nanoseconds, of the clock that appends are noted by. */
  readonly started: number
  readonly ended: number
  /** Turns after this position were to be dropped. */
  readonly to: number
  readonly outcome: 'done' | 'unknown' | 'refused'
}

/** Makes a call that drops turns, and notes what came of it. An error that is none of backscroll's is thrown. */
export async function drop(to: number, call: () => Promise<unknown>): Promise<Drop> {
  const started = now()
  try {
    await call()
    return { started, ended: now(), to, outcome: 'done' }
  } catch (error) {
    if (!(error instanceof BackscrollError)) throw error
    const outcome = error instanceof OutcomeUnknownError ? 'unknown' : 'refused'
    return { started, ended: now(), to, outcome }
  }
}

/**
 * What is wrong with a conversation from which turns were dropped while others were appended: an acknowledged turn that
 * no drop can have taken is gone, one that a finished drop must have taken is there, or a turn is there twice, or one
 * that was said not to be written.
 */
export function checkDrops(
  conversationId: string,
  appends: readonly AppendCall[],
  drops: readonly Drop[],
  end: readonly Placed[],
): Anomaly[] {
  const found: Anomaly[] = []
  const note = (kind: Anomaly['kind'], what: string) => void found.push({ kind, conversationId, what })
  const there = new Map(end.map(({ position, content }) => [content, position]))
  for (const { outcome, content, position, started, ended = Infinity } of appends) {
    if (outcome !== 'stored' || position === undefined) continue
    const above = drops.filter(({ to }) => to < position)
    const mayBeGone = above.some((one) => one.outcome !== 'refused' && one.ended > started)
    const mustBeGone = above.some((one) => one.outcome === 'done' && one.started > ended)
    if (there.get(content) !== position && !mayBeGone) note('lost', content)
    if (there.get(content) === position && mustBeGone) note('ghost', `${content} was dropped`)
  }
  const written = new Set(
    appends.filter(({ outcome }) => outcome !== 'refused').map(({ content }) => content),
  )
  for (const { content } of end) if (!written.has(content)) note('denied', content)
  if (there.size < end.length) note('doubled', `${end.length - there.size} turns`)
  return found
}

/** Nanoseconds of the machine's monotonic clock, as in the notes of a history. */
function now(): number {
  return Number(process.hrtime.bigint())
}

/** Repeats work with a pause between, until the signal aborts. */
export async function repeatedly(
  pauseMs: number,
  signal: AbortSignal,
  work: () => Promise<unknown>,
): Promise<void> {
  while (!signal.aborted) {
    await work()
    await setTimeout(pauseMs)
  }
}
