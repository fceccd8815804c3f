import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Prints the bytes of a database's pages, those that are still in its log included. Run with its path. */
const SCRIPT = `
  const database = require('better-sqlite3')(process.argv[1], { readonly: true })
  const [pages, size] = ['page_count', 'page_size'].map((name) => database.pragma(name, { simple: true }))
  console.log(pages * size)`

/**
 * Bytes of a SQLite database. In a process of its own: two copies of SQLite in one process undo each other's locks on a
 * file, and libSQL is a second one.
 */
export async function fileBytes(path: string): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', SCRIPT, path], {
    cwd: import.meta.dirname,
  })
  return Number(stdout)
}
