/** Which of a user's texts it is. A codec binds what it encodes to its place, so that it says nothing anywhere else. */
export interface TextPlace {
  readonly conversationId: string
  /**
   * A turn's messages, a turn's metadata, or the conversation's own: each of them JSON text. Or the hash by which an
   * operation is known again: of what is short, a hash alone could be guessed.
   */
  readonly kind: 'messages' | 'metadata' | 'conversation metadata' | 'operation'
}

/** Encodes one user's texts for their rows, and decodes them. It is used for one call of the store. */
export interface UserCodec {
  encode(text: string, place: TextPlace): string
  /**
   * The text that was encoded for this user and this place.
   *
   * @throws {MissingKeyError} when the key is not there. @throws {CorruptDataError} for what `encode` did not make, or
   * made for another user or place.
   */
  decode(encoded: string, place: TextPlace): string
  /** Whether `encode` would still use the same key; if not, `store.reencrypt` writes the text anew. */
  isCurrent(encoded: string): boolean
}

/** Encodes what users say before it reaches the database. `encryption` of `backscroll/encryption` makes one. */
export interface Codec {
  /**
   * Asked once a call of the store, before its first statement. The store's synchronous methods need an answer at once.
   *
   * @throws {MissingKeyError} when the user's key is gone. What else it throws, the caller of the store gets as it is.
   */
  forUser(userId: string): UserCodec | PromiseLike<UserCodec>
  /** True lets texts be read that were stored without a codec. By default they are refused: anyone may have put them there. */
  readonly acceptPlaintext?: boolean | undefined
}
