import { readFileSync } from 'node:fs'
import { ROOT } from '../support/source.ts'

/** The folder of the examples. */
export const EXAMPLES = `${ROOT}examples/`

/** What the three lines say that an example begins with. */
export interface Header {
  /** The file that it says to run. */
  readonly run: string
  /** Its output, the lines of it with a bar in between. */
  readonly prints: string
}

/** Reads what an example says of itself; undefined where it does not begin with the three lines. */
export function headerOf(file: string): Header | undefined {
  const [, run, prints] = HEADER.exec(readFileSync(`${EXAMPLES}${file}`, 'utf8')) ?? []
  return run === undefined || prints === undefined ? undefined : { run, prints }
}

const HEADER = /^\/\/ Shows: .+\n\/\/ Run: npx tsx (examples\/\S+)(?: \(.+\))?\n\/\/ Prints: (.+)\n(?!\/\/)/

/** The call of Node that `npx tsx FILE` makes. */
export function callOf(file: string): string[] {
  return ['--import', import.meta.resolve('tsx'), `${EXAMPLES}${file}`]
}

/** What an example finds in its environment: no key and no server of a model, and this database, or none. */
export function environment(databaseUrl?: string): NodeJS.ProcessEnv {
  const none = { OPENAI_API_KEY: undefined, OPENAI_BASE_URL: undefined, AI_GATEWAY_API_KEY: undefined }
  return { ...process.env, ...none, DATABASE_URL: databaseUrl, FORCE_COLOR: undefined }
}
