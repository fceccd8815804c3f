import type { ConversationOptions, ConversationStore } from '../index.ts'
import { readConversations, type RecordDefaults } from './records.ts'
import { TargetConversation } from './target.ts'

/** What stands in for what the file does not say, how turns are counted, and who wants to know how far it is. */
export interface ImportOptions extends RecordDefaults {
  /** Default: what is recorded with a conversation that is there; `o200k_base` for others. */
  readonly encoding?: ConversationOptions['encoding']
  /** Default: what is recorded with a conversation that is there; `text` for others. */
  readonly framing?: ConversationOptions['framing']
  /** Called, and waited for, when a turn is stored. What it throws stops the import. */
  readonly afterTurn?: (totals: ImportTotals) => void | Promise<void>
}

/** How far an import is. */
export interface ImportTotals {
  /** Bytes of the file up to the end of the last record that is stored. */
  bytes: number
  /** In the order of the file. */
  readonly users: Set<string>
  conversations: number
  /** Turns that this import added, and turns that were there already. */
  stored: number
  already: number
  /** Of both. */
  tokens: number
  /** What has no text, or no place in a chat, and was left out: how many messages, or parts of them, of each kind. */
  readonly leftOut: Map<string, number>
}

/**
 * Stores the conversations of a file, one turn after the other.
 *
 * Each turn has an idempotency key, made of its number and its messages: an import that was broken off goes on where
 * it stood, one that is repeated adds nothing, and a longer file of the same conversations adds what is new in it. An
 * import only adds: what a conversation holds stays as it is, its metadata included. One record of the file is in memory
 * at a time, and the ids of all its conversations.
 *
 * @throws {InvalidArgumentError} for options that are out of range.
 * @throws {BadRecordError} at the first record that is wrong; the turns before it are stored.
 */
export async function importConversations(
  store: ConversationStore,
  chunks: AsyncIterable<Uint8Array>,
  options: ImportOptions,
): Promise<ImportTotals> {
  // Checked before the file is read, which would be blamed for what the caller got wrong.
  store.conversation({ ...options, conversationId: options.conversationId ?? options.sourceName })
  const counters = { bytes: 0, conversations: 0, stored: 0, already: 0, tokens: 0 }
  const totals: ImportTotals = { ...counters, users: new Set(), leftOut: new Map() }
  const seen = new Set<string>()
  let target: TargetConversation | undefined
  for await (const record of readConversations(chunks, options)) {
    for (const kind of record.leftOut) totals.leftOut.set(kind, (totals.leftOut.get(kind) ?? 0) + 1)
    for (const turn of record.turns) {
      if (!target?.isOf(record)) target = await TargetConversation.open(store, record, options)
      const { replayed, tokenCount } = await target.store(turn, record)
      totals.users.add(record.userId)
      totals.conversations = seen.add(JSON.stringify([record.userId, record.conversationId])).size
      totals[replayed ? 'already' : 'stored']++
      totals.tokens += tokenCount
      await options.afterTurn?.(totals)
    }
    totals.bytes = record.bytes
  }
  return totals
}
