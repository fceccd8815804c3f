import { LineSplitter } from './lines.ts'

/** The lines of a text file, however they end; after a line break at the end of the file there is none. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const splitter = new LineSplitter()
  for await (const chunk of chunks) {
    for (const { content } of splitter.push(Buffer.from(chunk))) yield toLine(content)
  }
  for (const { content } of splitter.end()) if (content.length > 0) yield toLine(content)
}

function toLine(content: Buffer): string {
  return content.toString().replace(/\r?\n$/, '')
}
