import type { Fault } from './proxy.ts'

/** Which side's messages a connection is cut at, and how. */
export type Cut = Pick<Fault, 'of' | 'effect'>

/** After a client's last message that was passed on, the reply to the commit is lost. */
export const AFTER_SENDING: Cut = { of: 'client', effect: 'cut after' }
/** A part of the answer is delivered, and half of a message. Where the first is cut, the reply to the commit is lost too. */
export const WITHIN_ANSWER: Cut = { of: 'server', effect: 'cut within' }

/** Every way in which a connection is cut. */
export const CUTS: readonly Cut[] = [
  { of: 'client', effect: 'cut before' },
  AFTER_SENDING,
  { of: 'server', effect: 'cut before' },
  WITHIN_ANSWER,
]
