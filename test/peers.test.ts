import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildPackage, run, type BuiltPackage } from './support/built-package.ts'

/** What of package.json is read here. */
interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>
}

const { dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as Manifest

/**
 * A few lines that use each adapter on SQLite, as a user would type them, and what they print. They run as they are, and
 * are type-checked in the resolutions that users have.
 */
const PROGRAMS: Readonly<
  Record<string, { readonly peer: string; readonly text: string; readonly prints: string }>
> = {
  langchain: {
    peer: '@langchain/core',
    text: `import { openStore } from 'backscroll'
import { BackscrollChatMessageHistory, ConversationTokenBufferMemory } from 'backscroll/langchain'

const store = await openStore('sqlite::memory:')
const history = new BackscrollChatMessageHistory({ store, userId: 'ada', conversationId: 'c' })
await history.addUserMessage('hi')
const [message] = await history.getMessages()
const memory = new ConversationTokenBufferMemory({ store, userId: 'ada', conversationId: 'c' })
const { history: text } = await memory.loadMemoryVariables({})
console.log(message?.content, text)
await store.close()
`,
    prints: 'hi Human: hi\n',
  },
  'openai-agents': {
    peer: '@openai/agents-core',
    text: `import { openStore } from 'backscroll'
import { BackscrollSession } from 'backscroll/openai-agents'
import type { Session } from '@openai/agents-core'

const store = await openStore('sqlite::memory:')
const session: Session = new BackscrollSession({ store, userId: 'ada', conversationId: 'c' })
await session.addItems([{ type: 'message', role: 'user', content: 'hi' }])
console.log((await session.getItems()).length, await session.getSessionId())
await store.close()
`,
    prints: '1 c\n',
  },
  'ai-sdk': {
    peer: 'ai',
    text: `import { openStore } from 'backscroll'
import { loadModelMessages, saveModelMessages } from 'backscroll/ai-sdk'
import type { ModelMessage } from 'ai'

const store = await openStore('sqlite::memory:')
const conversation = store.conversation({ userId: 'ada', conversationId: 'c', framing: 'chat' })
await saveModelMessages(conversation, [{ role: 'user', content: 'hi' }])
const messages: ModelMessage[] = await loadModelMessages(conversation, { maxTokens: 100 })
console.log(messages.length, messages[0]?.content)
await store.close()
`,
    prints: '1 hi\n',
  },
}

const NEEDED = [
  ...Object.keys(dependencies),
  'better-sqlite3',
  'postgres',
  'typescript',
  '@types/node',
  '@types/better-sqlite3',
]

let built: BuiltPackage
beforeAll(async () => void (built = await buildPackage()))
afterAll(() => built.remove())

describe('a peer', () => {
  it('is optional, each of them', () => {
    expect(Object.keys(peerDependenciesMeta).toSorted()).toEqual(Object.keys(peerDependencies).toSorted())
    expect(Object.values(peerDependenciesMeta).every(({ optional }) => optional === true)).toBe(true)
  })

  it.each(Object.entries(PROGRAMS))('of %s is enough for it, without the others', async (name, program) => {
    built.installOnly([...NEEDED, program.peer])
    writeFileSync(join(built.host, `${name}.mts`), program.text)
    writeFileSync(join(built.host, `${name}.mjs`), withoutTypes(program.text))
    const { stdout, stderr, exitCode } = await run(process.execPath, [`${name}.mjs`], {
      cwd: built.host,
      env: {},
    })
    expect({ stdout, stderr, exitCode }).toEqual({ stdout: program.prints, stderr: '', exitCode: 0 })
  })

  it.each(Object.keys(PROGRAMS))('is found by require as well: %s', async (name) => {
    built.installOnly([...NEEDED, PROGRAMS[name]!.peer])
    const text = `console.log(Object.keys(require('backscroll/${name}')).length > 0)`
    writeFileSync(join(built.host, `${name}.cjs`), text)
    const { stdout, exitCode } = await run(process.execPath, [`${name}.cjs`], { cwd: built.host, env: {} })
    expect({ stdout, exitCode }).toEqual({ stdout: 'true\n', exitCode: 0 })
  })

  it.each([
    ['NodeNext', { module: 'nodenext' }],
    ['Bundler', { module: 'esnext', moduleResolution: 'bundler' }],
  ])('has the types that it should, strictly and in %s resolution', async (_, resolution) => {
    built.installOnly([...NEEDED, ...Object.values(PROGRAMS).map(({ peer }) => peer)])
    for (const [name, { text }] of Object.entries(PROGRAMS))
      writeFileSync(join(built.host, `${name}.mts`), text)
    const config = {
      compilerOptions: {
        ...resolution,
        ...{ target: 'es2023', lib: ['es2024', 'esnext.disposable', 'dom'], types: ['node'] },
        // Not of the peers' own declarations, some of which are not strict.
        ...{
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          skipLibCheck: true,
        },
        noEmit: true,
      },
      files: Object.keys(PROGRAMS).map((name) => `${name}.mts`),
    }
    writeFileSync(join(built.host, 'tsconfig.json'), JSON.stringify(config))
    writeFileSync(join(built.host, 'package.json'), JSON.stringify({ type: 'module' }))
    const tsc = join(built.host, '../node_modules/typescript/bin/tsc')
    const { stdout, exitCode } = await run(process.execPath, [tsc, '-p', '.'], { cwd: built.host })
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 0 })
  })
})

function withoutTypes(text: string): string {
  return text.replace(/^import type .*\n/gm, '').replace(/^(const \w+): [\w[\]]+ =/gm, '$1 =')
}
