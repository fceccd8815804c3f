import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rename, rm, stat, writeFile } from 'node:fs/promises'
import { BackscrollError } from '../index.ts'

/** A file cannot be read or written. Says why, and not its name, which may be someone's text. */
class UnusableFileError extends BackscrollError {
  readonly code = 'UNUSABLE_FILE'
}

/** A file that is to be read. */
export interface FileToRead {
  /** Bytes; 0 for what has no size, such as a pipe. */
  readonly size: number
  readonly chunks: AsyncIterable<Uint8Array>
}

/** Finds a file and gives its chunks, which are read as they are asked for. @throws {UnusableFileError} */
export async function fileToRead(path: string, options: { signal?: AbortSignal } = {}): Promise<FileToRead> {
  const found = await stat(path).catch((error: unknown) => fail('The file cannot be read', error))
  if (found.isDirectory()) throw new UnusableFileError('The file cannot be read: it is a folder.')
  return { size: found.size, chunks: chunksOf(path, options) }
}

async function* chunksOf(path: string, options: { signal?: AbortSignal }): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path, options) as AsyncIterable<Buffer>
  } catch (error) {
    fail('The file cannot be read', error)
  }
}

/**
 * Writes texts to a file that is there, whole, once the last of them is written: until then they stand beside it under
 * another name, and are removed when something fails.
 *
 * @throws {UnusableFileError} when the file is there and is not to be replaced, or cannot be written.
 */
export async function writeWhole(
  path: string,
  texts: AsyncIterable<string>,
  { replace }: { replace: boolean },
): Promise<void> {
  const there = await stat(path).catch(() => undefined)
  if (there && !replace) throw new UnusableFileError('The file is there already; nothing was written.')
  // A device, for one, would be replaced by a file.
  if (there && !there.isFile()) throw new UnusableFileError('The file cannot be written: it is no file.')
  const partial = `${path}.${randomUUID().slice(0, 8)}.partial`
  try {
    await writeFile(partial, texts, { flag: 'wx', flush: true })
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    fail('The file cannot be written', error)
  }
}

/** The message of the system names the path, and is reduced to its code. */
function fail(what: string, error: unknown): never {
  const { syscall, code } = Object(error) as { syscall?: unknown; code?: unknown }
  if (syscall === undefined) throw error
  const reason = REASONS[String(code)]
  throw new UnusableFileError(`${what}: ${reason ?? String(code)}.`)
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'it is not allowed',
  EPERM: 'it is not allowed',
  EISDIR: 'it is a folder',
  ENOTDIR: 'what should be its folder is a file',
  ENOSPC: 'the disk is full',
}
