import type { Message } from '../../src/index.ts'
import type { CountedTurn } from '../harness/turns.ts'

/** A turn as a hand-written read gives it. */
export interface FloorTurn {
  readonly position: number
  readonly tokenCount: number
  readonly cumulativeTokens: number
  readonly messages: Message[]
  readonly createdAt: Date
  readonly metadata: unknown
}

/** What can at least not be avoided, by hand on the driver: what our own calls are compared with. */
export interface Floor {
  /** A range read that knows its first row, and parses the same JSON. */
  load(conversationId: string, firstPosition: number): FloorTurn[] | Promise<FloorTurn[]>
  /** One insert of a turn's row, its place known and its tokens counted before, with the same durability. */
  append(conversationId: string, position: number, turn: CountedTurn): unknown
  close(): unknown
}
