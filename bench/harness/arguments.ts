import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

/** What every benchmark may be told. */
export interface BenchArguments {
  /** As little as shows that it works, in seconds; its figures mean nothing. */
  readonly short: boolean
  /** With what takes long as well. */
  readonly full: boolean
  /** The folder that results are written to. */
  readonly out: string
}

const RESULTS = fileURLToPath(new URL('../results/', import.meta.url))

/** Reads `--short`, `--full` and `--out FOLDER`, and files where a benchmark takes any. */
export function parseArguments(args = process.argv.slice(2)): BenchArguments & { readonly files: string[] } {
  const { values, positionals } = parseArgs({
    args,
    options: { short: { type: 'boolean' }, full: { type: 'boolean' }, out: { type: 'string' } },
    allowPositionals: true,
  })
  const { short = false, full = false, out = RESULTS } = values
  return { short, full, out, files: positionals }
}
