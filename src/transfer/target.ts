import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import {
  InvalidArgumentError,
  type Conversation,
  type ConversationOptions,
  type ConversationStore,
  type StoredTurn,
} from '../index.ts'
import { BadRecordError, type Place } from './bad-record.ts'
import { openConversation } from './open-conversation.ts'
import type { RecordedConversation, RecordedTurn } from './recorded.ts'

/** A conversation that turns of a file are stored in. */
export class TargetConversation {
  readonly #conversation: Conversation
  /** Whether turns of the file may be in it from before. */
  readonly #wasThere: boolean

  private constructor(conversation: Conversation, { wasThere }: { wasThere: boolean }) {
    this.#conversation = conversation
    this.#wasThere = wasThere
  }

  /** Opens the conversation that a record belongs to; begins it with the record's metadata where it is not there. */
  static async open(
    store: ConversationStore,
    { place, userId, conversationId, metadata }: RecordedConversation,
    { encoding, framing }: Pick<ConversationOptions, 'encoding' | 'framing'>,
  ): Promise<TargetConversation> {
    return blaming(place, '', async () => {
      const options = { userId, conversationId, encoding, framing }
      const { conversation, countedAs } = await openConversation(store, options)
      const isNew = countedAs === undefined
      if (isNew && metadata) await conversation.setMetadata(metadata)
      return new TargetConversation(conversation, { wasThere: !isNew })
    })
  }

  isOf({ userId, conversationId }: RecordedConversation): boolean {
    return this.#conversation.userId === userId && this.#conversation.conversationId === conversationId
  }

  /** Appends a turn, unless it is there already: `replayed` says so. */
  async store(turn: RecordedTurn, record: RecordedConversation): Promise<StoredTurn> {
    return blaming(record.place, `turn ${turn.number}: `, async () => {
      const idempotencyKey = keyOf(turn, record)
      const found = this.#wasThere ? await this.#find(turn, idempotencyKey, record) : undefined
      if (found) return { ...found, replayed: true }
      return this.#conversation.append(turn.messages, { idempotencyKey, metadata: turn.metadata })
    })
  }

  /**
   * Looks for a turn before it is counted again. An export may be read back into the store that it was made of, where
   * its turns have other keys, or none; they stand at their positions.
   */
  async #find(
    { number, messages }: RecordedTurn,
    idempotencyKey: string,
    { numberedBy }: RecordedConversation,
  ): Promise<StoredTurn | undefined> {
    const imported = await this.#conversation.findTurn(idempotencyKey)
    if (imported || numberedBy !== 'position') return imported
    const [there] = await this.#conversation.listTurns({ after: number - 1, limit: 1 })
    const isSame = there?.position === number && isDeepStrictEqual(there.messages, messages)
    return isSame ? there : undefined
  }
}

/** The same turn of the same conversation has the same key in every file, and one that was changed has another. */
function keyOf({ number, messages }: RecordedTurn, { isNamed, place }: RecordedConversation): string {
  const hash = createHash('sha256').update(JSON.stringify(messages)).digest('hex').slice(0, 32)
  // Records that name no conversation may all go into one, where each of them begins at a turn 1 of its own.
  return `import-${isNamed ? '' : `${place.number}.`}${number}-${hash}`
}

/** Does what a record asks for; where the record is the reason that it cannot be done, the error says which it is. */
async function blaming<T>(place: Place, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw new BadRecordError(place, `${what}${error.message}`)
    // By JSON.stringify; the parser takes any depth.
    if (error instanceof RangeError) throw new BadRecordError(place, `${what}nested too deeply.`)
    throw error
  }
}
