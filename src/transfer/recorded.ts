import type { Message, Metadata } from '../index.ts'
import type { Place } from './bad-record.ts'

/** A turn as a file has it. */
export interface RecordedTurn {
  /** Which of its conversation's turns it is: from 1, rising. */
  readonly number: number
  /** As they are in the file; `append` checks them. */
  readonly messages: readonly Message[]
  readonly metadata?: Metadata | undefined
}

/** What a line or an element says of a conversation: all of it, or one of its turns. */
export interface Recorded {
  /** Undefined where the record does not say. */
  readonly userId: string | undefined
  readonly conversationId: string | undefined
  readonly metadata: Metadata | undefined
  readonly turns: readonly RecordedTurn[]
  /** What a turn's number is: its place in the order of the record, or its position in the store that it comes from. */
  readonly numberedBy: 'order' | 'position'
  /** The kinds of the messages that cannot be turned into text, one for each. */
  readonly leftOut: readonly string[]
}

/** A record with everything that the file does not say filled in. */
export interface RecordedConversation extends Recorded {
  readonly place: Place
  /** Bytes of the file up to the end of the record. */
  readonly bytes: number
  readonly userId: string
  readonly conversationId: string
  /** False when the conversation was named by the caller: several records may then be parts of it. */
  readonly isNamed: boolean
}
