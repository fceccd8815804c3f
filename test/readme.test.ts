import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { answerFromMessages } from '../src/local-model/answer.ts'
import type { Answer, Question } from '../src/local-model/model.ts'
import { modelListener, startServer, type LocalServer } from '../src/local-model/server.ts'
import { buildPackage, compileHost, run, type BuiltPackage, type Ended } from './support/built-package.ts'
import { createPostgres, type Created } from './support/databases.ts'
import { runSql } from './support/inspect.ts'
import { ROOT } from './support/source.ts'

/** A block of TypeScript in a document, as a reader would copy it. */
interface Example {
  /** `README.md, line 34`. */
  readonly place: string
  readonly code: string
  /** What its `// → …` comments say that it prints. */
  readonly expected: string
  /** Why it is not run, where it says so: ```` ```ts no-run because … ````. It is compiled all the same. */
  readonly notRun: string | undefined
}

const DOCUMENTS = ['README.md', ...documentsIn('docs')]
const EXAMPLES = DOCUMENTS.flatMap((path) => examplesOf(readFileSync(join(ROOT, path), 'utf8'), path))

describe('the examples in the documents', () => {
  let built: BuiltPackage
  let compiled: Ended
  let model: LocalServer
  beforeAll(async () => {
    built = await buildPackage()
    // What the client of the examples finds in its environment.
    model = await startServer(modelListener(answer))
    for (const [index, { code }] of EXAMPLES.entries()) {
      mkdirSync(folderOf(built, index))
      writeFileSync(join(folderOf(built, index), 'example.ts'), code)
    }
    compiled = await compileHost(built.host)
  })
  afterAll(async () => {
    await model.close()
    built.remove()
  })

  it('are there', () => {
    expect(EXAMPLES.filter(({ place }) => place.startsWith('README.md')).length).toBeGreaterThan(0)
  })

  it('compile under the strictest settings', () => {
    const places = compiled.stdout.replaceAll(/^example-(\d+)\/example\.ts/gm, (_, index) =>
      placeOf(Number(index)),
    )
    expect(places).toBe('')
    expect(compiled.exitCode).toBe(0)
  })

  it.each(EXAMPLES.map((example, index) => ({ ...example, index })))(
    'print what they say: $place',
    async ({ code, expected, notRun, index }) => {
      if (notRun !== undefined) return expect(notRun, 'a reason for no-run').not.toBe('')
      expect(expected, 'at least one `// → …` that says what is printed').not.toBe('')
      const client = { OPENAI_API_KEY: 'none', OPENAI_BASE_URL: model.url }
      const key = { MASTER_KEY: randomBytes(32).toString('base64') }
      const env = { ...process.env, ...client, ...key, DATABASE_URL: '', APP_DATABASE_URL: '' }
      const database = code.includes('process.env.DATABASE_URL') ? await createPostgres() : undefined
      if (database) env.DATABASE_URL = database.url
      const role =
        database && code.includes('process.env.APP_DATABASE_URL') ? await createRole(database) : undefined
      if (role) env.APP_DATABASE_URL = role.url
      try {
        const ended = await run(process.execPath, ['example.js'], { cwd: folderOf(built, index), env })
        expect({ ...ended, stdout: inOneLine(ended.stdout) }).toEqual({
          stdout: expected,
          stderr: '',
          exitCode: 0,
        })
      } finally {
        await database?.drop()
        await role?.drop()
      }
    },
  )
})

describe('reading a document', () => {
  const document = [
    'Text with `ts` in it.',
    '```sh',
    'npm install # → nothing',
    '```',
    '```ts',
    "console.log('one')   // → one",
    'console.log(',
    '  [1, 2],',
    ') // → [ 1,  2 ]',
    '```',
    '  ```ts no-run it needs a key',
    '  await ask()',
    '  ```',
    '```ts',
    'never()',
    '```',
  ].join('\n')

  it('finds each block of TypeScript, with what it prints and why it is not run', () => {
    expect(examplesOf(document, 'A.md')).toEqual([
      {
        place: 'A.md, line 5',
        code: "console.log('one')   // → one\nconsole.log(\n  [1, 2],\n) // → [ 1,  2 ]\n",
        expected: 'one [ 1, 2 ]',
        notRun: undefined,
      },
      { place: 'A.md, line 11', code: '  await ask()\n', expected: '', notRun: 'it needs a key' },
      { place: 'A.md, line 14', code: 'never()\n', expected: '', notRun: undefined },
    ])
  })
})

/** The local model; one that is given a tool calls it first, and reads what it gave back. */
function answer(question: Question): Answer {
  const last = question.messages.at(-1)
  if (last?.role === 'tool') {
    const { celsius } = JSON.parse(String(last.content)) as { celsius: number }
    return { content: `Yes: it is ${-celsius} degrees below zero.` }
  }
  if (question.body['tools'] === undefined) return answerFromMessages(question)
  const call = { name: 'weather', arguments: '{"city":"Oslo"}' }
  return { toolCalls: [{ id: 'call_1', type: 'function', function: call }] }
}

/** The role that the examples know as their app's. */
async function createRole({ url }: { readonly url: string }): Promise<Created> {
  const admin = { name: 'postgres', url: inject('postgresUrl') } as const
  const password = randomBytes(12).toString('hex')
  await runSql(admin, `create role chat_app login password '${password}'`)
  const asRole = new URL(url)
  Object.assign(asRole, { username: 'chat_app', password })
  return { url: asRole.href, drop: async () => void (await runSql(admin, 'drop role chat_app')) }
}

function documentsIn(folder: string): string[] {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
  return files
    .filter((file) => file.endsWith('.md'))
    .map((file) => join(folder, file))
    .toSorted()
}

function examplesOf(text: string, path: string): Example[] {
  const blocks = text.matchAll(/^ *```(?:ts|typescript)(?: +(.*))?\n([\s\S]*?)^ *```$/gm)
  return Array.from(blocks, ({ index, 1: info, 2: code = '' }) => ({
    place: `${path}, line ${text.slice(0, index).split('\n').length}`,
    code,
    expected: inOneLine(Array.from(code.matchAll(/\/\/ → (.*)$/gm), ([, output]) => output).join(' ')),
    notRun: info?.startsWith('no-run') ? info.slice('no-run'.length).trim() : undefined,
  }))
}

function inOneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}

function folderOf({ host }: BuiltPackage, index: number): string {
  return join(host, `example-${index}`)
}

function placeOf(index: number): string {
  return EXAMPLES[index]?.place ?? `example ${index}`
}
