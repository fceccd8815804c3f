/** What happens to a message that a fault hits. */
export type Effect =
  /** It is not passed on. The client sees its connection reset. */
  | 'cut before'
  /** The first half of its bytes is passed on. */
  | 'cut within'
  /** It is passed on whole. Where it ends a statement, the server has done with it before the client is cut. */
  | 'cut after'
  /** It and all that follows on its connection, either way, is withheld. The connection stays open. */
  | 'stall'
  /**
   * An error of the server stands in its place: of the client's messages nothing is passed on until the statement ends
   * (only outside of a transaction can the server not notice). A fatal one ends the connection, and one in the place of
   * a message of the server always does.
   */
  | { readonly sqlstate: string; readonly fatal?: boolean }

/** What is counted: messages of the client, messages of the server, or those of the client that begin a statement. */
export type Counted = 'client' | 'server' | 'statement'

/** Which messages something happens to, and what. They are counted over all connections from the moment it is injected. */
export interface Fault {
  readonly of: Counted
  /** The first that is hit, from 1 on. */
  readonly at: number
  /** How many in a row are hit. Default: 1. */
  readonly times?: number
  readonly effect: Effect
}

/** What became of a fault. */
export interface Injection {
  /** How many messages it has hit. */
  readonly struck: number
}

/** What passed through a proxy since its fault was injected. */
export interface Seen {
  readonly connections: number
  readonly client: number
  readonly server: number
  readonly statement: number
}

/** Counts what passes and says what is hit. */
export class FaultPlan {
  readonly seen = { connections: 0, client: 0, server: 0, statement: 0 }
  readonly injection = { struck: 0 }
  readonly #fault: Fault | undefined

  constructor(fault?: Fault) {
    this.#fault = fault
  }

  /** Counts one, and gives what happens to it, if anything. */
  count(...kinds: readonly Counted[]): Effect | undefined {
    for (const kind of kinds) this.seen[kind]++
    const fault = this.#fault
    if (!fault || !kinds.includes(fault.of)) return undefined
    const number = this.seen[fault.of]
    if (number < fault.at || number >= fault.at + (fault.times ?? 1)) return undefined
    this.injection.struck++
    return fault.effect
  }
}
