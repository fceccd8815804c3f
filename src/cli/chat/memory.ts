import { ConversationTokenBufferMemory, type ConversationStore } from '../../index.ts'
import { DEFAULT_ENCODING, knownEncoding } from '../../tokens/encodings.ts'
import { CommandError, EXIT } from '../command.ts'

/** Which conversation, and how much of it the model is given. */
export interface ChatMemoryOptions {
  readonly userId: string
  readonly conversationId: string
  readonly maxTokenLimit: number
  readonly retentionRatio: number
  /** A conversation that begins is counted in its encoding. */
  readonly model: string
  readonly signal: AbortSignal
}

/**
 * The memory of a chat. A conversation that is there goes on as it was counted, so that opening it counts nothing anew.
 *
 * @throws {CommandError} for one that was counted in chat form, which this memory does not count in.
 */
export async function openMemory(
  store: ConversationStore,
  { model, signal, ...options }: ChatMemoryOptions,
): Promise<ConversationTokenBufferMemory> {
  const countedAs = await store.conversation(options).countedAs({ signal })
  // Of a model that is not known, the encoding of most: a local server's model has one that nobody counts in.
  const encoding = countedAs?.encoding ?? knownEncoding(model) ?? DEFAULT_ENCODING
  const framing = countedAs?.framing
  if (framing?.kind === 'chat') {
    throw new CommandError(
      EXIT.failed,
      'An app keeps this conversation, counted under chat framing, and a chat counts under text framing. ' +
        'To go on with it here: backscroll recount --framing text',
    )
  }
  const { humanPrefix, aiPrefix } = framing ?? {}
  return new ConversationTokenBufferMemory({
    ...options,
    store,
    encoding,
    humanPrefix,
    aiPrefix,
    returnMessages: true,
  })
}
