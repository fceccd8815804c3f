import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, inject } from 'vitest'
import { openStore, type ConversationStore, type OpenStoreOptions } from '../../src/index.ts'

/** An empty database that one block of tests has to itself. */
export interface TestDatabase {
  readonly name: 'sqlite' | 'postgres'
  /** Known once the tests run. */
  readonly url: string
  /** A store on it that is closed when the block ends. */
  open(options?: OpenStoreOptions): Promise<ConversationStore>
}

/** A database that was made for a test. */
export interface Created {
  readonly url: string
  drop(): Promise<void>
}

/** Runs the same tests on a database file and on a real Postgres, each new and empty. */
export function onEachDatabase(title: string, tests: (database: TestDatabase) => void): void {
  describe.each([
    { name: 'sqlite', create: createSqlite } as const,
    { name: 'postgres', create: createPostgres } as const,
  ])(`${title} on $name`, ({ name, create }) => {
    let created: Created
    const stores: ConversationStore[] = []
    beforeAll(async () => void (created = await create()))
    afterAll(async () => {
      await Promise.all(stores.map((store) => store.close()))
      await created.drop()
    })
    tests({
      name,
      get url() {
        return created.url
      },
      async open(options) {
        const store = await openStore(created.url, options)
        stores.push(store)
        return store
      },
    })
  })
}

async function createSqlite(): Promise<Created> {
  const folder = mkdtempSync(join(tmpdir(), 'backscroll-test-'))
  return {
    url: `sqlite:${join(folder, 'test.db')}`,
    drop: async () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** A new and empty database on the server that the tests run on. */
export async function createPostgres(): Promise<Created> {
  const url = new URL(inject('postgresUrl'))
  const admin = postgres(url.href, { max: 1, onnotice: () => {} })
  const name = `backscroll_test_${randomBytes(6).toString('hex')}`
  await admin.unsafe(`create database ${name}`)
  url.pathname = `/${name}`
  return {
    url: url.href,
    drop: async () => {
      await admin.unsafe(`drop database ${name} with (force)`)
      await admin.end()
    },
  }
}
