import { BadRecordError, type Place } from './bad-record.ts'
import { ElementSplitter, isBlank } from './elements.ts'
import { LineSplitter } from './lines.ts'
import type { Splitter, Stretch } from './stretch.ts'

/** A JSON value of a file, and where it stands. */
export interface FileValue {
  readonly place: Place
  readonly value: unknown
  /** Bytes of the file up to the end of it. */
  readonly bytes: number
}

/**
 * The values of a file: the elements of its array if its first character opens one, otherwise one a line, where blank
 * lines are passed over. One value is in memory at a time.
 *
 * @throws {BadRecordError} at the first that is not JSON.
 */
export async function* readValues(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<FileValue> {
  let splitter: Splitter | undefined
  let blank = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const bytes = Buffer.concat([blank, chunk])
    splitter ??= splitterFor(bytes)
    if (splitter) yield* values(splitter, splitter.push(bytes))
    blank = splitter ? Buffer.alloc(0) : bytes
  }
  if (splitter) yield* values(splitter, splitter.end())
}

/** Undefined as long as all is blank. */
function splitterFor(bytes: Buffer): Splitter | undefined {
  const first = bytes.find((byte) => !isBlank(byte) && !BYTE_ORDER_MARK.includes(byte))
  if (first === undefined) return undefined
  return first === 0x5b ? new ElementSplitter() : new LineSplitter()
}

/** Programs on Windows begin a file with these. */
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]

function* values({ unit }: Splitter, stretches: Iterable<Stretch>): Generator<FileValue> {
  for (const { number, content, end } of stretches) {
    const place = { unit, number }
    const value = parse(content, place)
    if (value !== undefined) yield { place, value, bytes: end }
  }
}

/** Refuses bytes that are not UTF-8, where Buffer would put U+FFFD in their place. Passes over a byte order mark. */
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Undefined for a blank line. */
function parse(content: Buffer, place: Place): unknown {
  try {
    const text = utf8.decode(content)
    return place.unit === 'Line' && text.trim() === '' ? undefined : JSON.parse(text)
  } catch {
    // Not the parser's own message: it quotes the text.
    throw new BadRecordError(place, 'not JSON in UTF-8.')
  }
}
