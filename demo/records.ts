import { createReadStream } from 'node:fs'
import type { Message } from '../src/index.ts'

/** A recorded conversation, and the line of the file that it stands on, from 1. */
export interface RecordedConversation {
  readonly line: number
  /** Bytes of the file up to the end of that line. */
  readonly bytes: number
  readonly userId: string
  readonly conversationId: string
  /** As they are in the file; `append` checks them. */
  readonly turns: readonly Message[][]
}

/** A line that is not a recorded conversation. Says which line, never what is on it. */
export class BadLineError extends Error {
  constructor(line: number, what: string) {
    super(`Line ${line}: ${what} The conversations before it are stored; run again when it is mended.`)
  }
}

/**
 * The conversations of a JSONL file, one line in memory at a time. Blank lines are passed over.
 *
 * @throws {BadLineError} at the first line that is no conversation.
 */
export async function* readRecords(path: string): AsyncGenerator<RecordedConversation> {
  let line = 0
  let bytes = 0
  for await (const content of readLines(path)) {
    line++
    bytes += content.length + 1
    const record = parse(content, line)
    if (record !== undefined) yield { line, bytes, ...checkRecord(record, line) }
  }
}

/** Split at line feeds only: `readline` also splits at U+2028, which JSON strings may hold. */
async function* readLines(path: string): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = []
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let start = 0
    for (let end; (end = chunk.indexOf('\n', start)) !== -1; start = end + 1) {
      yield Buffer.concat([...pieces, chunk.subarray(start, end)])
      pieces = []
    }
    pieces.push(chunk.subarray(start))
  }
  yield Buffer.concat(pieces)
}

/** Refuses bytes that are not UTF-8, where Buffer would put U+FFFD in their place. */
const utf8 = new TextDecoder('utf-8', { fatal: true })

function parse(content: Buffer, line: number): unknown {
  try {
    const text = utf8.decode(content)
    return text.trim() === '' ? undefined : JSON.parse(text)
  } catch {
    // Not the parser's own message: it quotes the text.
    throw new BadLineError(line, 'not JSON in UTF-8.')
  }
}

function checkRecord(
  record: unknown,
  line: number,
): Pick<RecordedConversation, 'userId' | 'conversationId' | 'turns'> {
  const {
    user_id: userId,
    conversation_id: conversationId,
    messages,
  } = Object(record) as {
    readonly [key: string]: unknown
  }
  if (typeof userId !== 'string' || typeof conversationId !== 'string') {
    throw new BadLineError(line, 'user_id and conversation_id must be strings.')
  }
  if (!Array.isArray(messages) || messages.length === 0) {
    throw new BadLineError(line, 'messages must be an array of at least one message.')
  }
  return { userId, conversationId, turns: splitIntoTurns(messages as Message[]) }
}

/** A turn begins at each message of the user; what stands before the first one belongs to the first turn. */
function splitIntoTurns(messages: readonly Message[]): Message[][] {
  const turns: Message[][] = []
  let begun = false
  for (const message of messages) {
    const isUser = message?.role === 'user'
    const current = turns.at(-1)
    if (current === undefined || (isUser && begun)) turns.push([message])
    else current.push(message)
    begun ||= isUser
  }
  return turns
}
