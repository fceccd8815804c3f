import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { inject } from 'vitest'
import { openStore } from '../../src/index.ts'
import { createPostgres, type Created } from './databases.ts'

/** A role of a test's own on the server. */
export interface Role {
  readonly name: string
  readonly password: string
  /** The URL of a database as this role. */
  urlOf(databaseUrl: string): string
  /** Once no database holds anything of it any more. */
  drop(): Promise<void>
}

/** Makes a role that may log in, with these attributes and memberships besides: `bypassrls`, `in role "other"`. */
export async function createRole(attributes = ''): Promise<Role> {
  const name = `backscroll_role_${randomBytes(6).toString('hex')}`
  const password = randomBytes(12).toString('hex')
  await runAsAdmin(`create role ${name} login password '${password}' ${attributes}`)
  return {
    name,
    password,
    urlOf(databaseUrl) {
      const url = new URL(databaseUrl)
      url.username = name
      url.password = password
      return url.href
    },
    drop: () => runAsAdmin(`drop role ${name}`),
  }
}

/** Runs statements as the role that the tests are given, on the database of that name or the server's first. */
export async function runAsAdmin(text: string, databaseUrl = inject('postgresUrl')): Promise<void> {
  const admin = postgres(databaseUrl, { max: 1, fetch_types: false, onnotice: () => {} })
  try {
    await admin.unsafe(text)
  } finally {
    await admin.end()
  }
}

/** A database with row-level security: nobody but the two roles and the tests' own has anything to do with it. */
export interface WalledDatabase extends Created {
  readonly name: 'postgres'
  /** Owns the database and the tables; no superuser. */
  readonly owner: Role
  /** Uses them, as a store with `rowLevelSecurity` does. */
  readonly app: Role
}

/** Makes one, with tables and policies as `migrate` makes them for a role. */
export async function createWalled(): Promise<WalledDatabase> {
  const [created, owner, app] = [await createPostgres(), await createRole(), await createRole()]
  await runAsAdmin(`alter database ${new URL(created.url).pathname.slice(1)} owner to ${owner.name}`)
  await using store = await openStore(owner.urlOf(created.url), { migrate: false })
  await store.migrate({ rowLevelSecurity: { role: app.name } })
  return {
    name: 'postgres',
    url: created.url,
    owner,
    app,
    async drop() {
      await created.drop()
      await app.drop()
      await owner.drop()
    },
  }
}
