import type { AppendOutcome, NewTurn, Page, TurnRow } from '../dialect/dialect.ts'
import {
  CorruptDataError,
  DatabaseUnavailableError,
  InvalidArgumentError,
  MissingKeyError,
} from '../errors.ts'
import { inTime, isThenable, LATE } from '../in-time.ts'
import { kindOf } from '../redact.ts'
import { fromJson } from './codec.ts'
import type { Codec, TextPlace, UserCodec } from './text-codec.ts'

/**
 * What an encoded text begins with in its column, which holds JSON text. It is a JSON string: messages are an array and
 * metadata an object, so that neither can be taken for the other.
 */
const MARK = '"backscroll:'

/** Every user's texts on their way into the rows and out of them: as they are, or through the store's codec. */
export class Texts {
  readonly #codec: Codec | undefined
  readonly #deadlineMs: number

  constructor(codec: Codec | undefined, deadlineMs: number) {
    this.#codec = codec
    this.#deadlineMs = deadlineMs
  }

  /**
   * One user's texts, for one call.
   *
   * @throws {DatabaseUnavailableError} when the codec does not answer within the deadline.
   */
  async of(userId: string, signal: AbortSignal | undefined): Promise<UserTexts> {
    if (!this.#codec) return PLAIN
    signal?.throwIfAborted()
    try {
      const end = performance.now() + this.#deadlineMs
      return encodedBy(await inTime(this.#codec.forUser(userId), end, signal), this.#codec)
    } catch (error) {
      if (error !== LATE) throw error
      throw new DatabaseUnavailableError(
        `The codec gave no key for this user within ${this.#deadlineMs} ms. Nothing was written; try again.`,
      )
    }
  }

  /** The same at once. @throws {InvalidArgumentError} when the codec answers with a promise. */
  ofNow(userId: string): UserTexts {
    if (!this.#codec) return PLAIN
    const codec = this.#codec.forUser(userId)
    if (!isThenable(codec)) return encodedBy(codec, this.#codec)
    // Nobody waits for it any more.
    codec.then(undefined, () => {})
    throw new InvalidArgumentError(
      'This codec does not answer at once: use append and loadWindow, or give it secrets that it need not wait for.',
    )
  }

  /** @throws {InvalidArgumentError} without a codec, by which there is nothing to write anew. */
  checkEncoded(): void {
    if (this.#codec) return
    throw new InvalidArgumentError('reencrypt needs the codec to encrypt with: open the store with one.')
  }
}

/** @throws {InvalidArgumentError} for no codec, by which texts would be stored in clear. */
function encodedBy(codec: UserCodec | undefined | null, options: Codec): UserTexts {
  if (typeof codec?.encode === 'function') return new UserTexts(codec, options)
  throw new InvalidArgumentError(`codec.forUser(userId) must give a UserCodec; got ${kindOf(codec)}.`)
}

/** One user's texts on their way into the rows and out of them. */
export class UserTexts {
  readonly #codec: UserCodec | undefined
  readonly #acceptPlaintext: boolean

  constructor(codec?: UserCodec, { acceptPlaintext = false }: Pick<Codec, 'acceptPlaintext'> = {}) {
    this.#codec = codec
    this.#acceptPlaintext = acceptPlaintext
  }

  /** A text as it is stored. */
  encode(text: string, place: TextPlace): string {
    return this.#codec ? JSON.stringify(`backscroll:${this.#codec.encode(text, place)}`) : text
  }

  /** A stored text as it was before. @throws {MissingKeyError} | {CorruptDataError} when it cannot be told. */
  decode(stored: string, place: TextPlace): string {
    const isEncoded = stored.startsWith(MARK)
    if (this.#codec && isEncoded) return this.#codec.decode(unmarked(stored), place)
    if (this.#codec && !this.#acceptPlaintext) throw new CorruptDataError(PLAINTEXT)
    if (isEncoded) throw new MissingKeyError(NO_CODEC)
    return stored
  }

  /** A stored text encoded anew; undefined where it is encoded as it should be. */
  renew(stored: string, place: TextPlace): string | undefined {
    if (stored.startsWith(MARK) && this.#codec?.isCurrent(unmarked(stored))) return undefined
    return this.encode(this.decode(stored, place), place)
  }

  encodeTurn(turn: NewTurn): NewTurn {
    if (!this.#codec) return turn
    const { conversationId, messages, metadata } = turn
    return {
      ...turn,
      messages: this.encode(messages, { conversationId, kind: 'messages' }),
      metadata: metadata === null ? null : this.encode(metadata, { conversationId, kind: 'metadata' }),
    }
  }

  decodeTurn(conversationId: string, row: TurnRow): TurnRow {
    if (!this.#codec) return checkClear(row)
    const messages = this.decode(row.messages, { conversationId, kind: 'messages' })
    const metadata =
      row.metadata === null ? null : this.decode(row.metadata, { conversationId, kind: 'metadata' })
    return { ...row, messages, metadata }
  }

  decodePage(conversationId: string, { head, turns }: Page): Page {
    return { head, turns: turns.map((row) => this.decodeTurn(conversationId, row)) }
  }

  decodeOutcome(conversationId: string, outcome: AppendOutcome): AppendOutcome {
    if (outcome.kind === 'refused') return outcome
    return { ...outcome, turn: this.decodeTurn(conversationId, outcome.turn) }
  }
}

const PLAIN = new UserTexts()

/** @throws {MissingKeyError} for a turn that is encrypted. */
function checkClear(row: TurnRow): TurnRow {
  if (row.messages.startsWith(MARK) || row.metadata?.startsWith(MARK)) throw new MissingKeyError(NO_CODEC)
  return row
}

function unmarked(stored: string): string {
  return (fromJson(stored) as string).slice('backscroll:'.length)
}

const PLAINTEXT =
  'A stored text is not encrypted, and this store was given a codec. Was it stored before there was one? Then give ' +
  'the codec `acceptPlaintext: true`, and run reencrypt. Else something else put it there.'
const NO_CODEC =
  'A stored text is encrypted, and this store was given no codec. Open the store with the codec that encrypted it.'
