import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { migrate as migrateSqlite } from 'drizzle-orm/better-sqlite3/migrator'
import { migrate as migratePostgres } from 'drizzle-orm/postgres-js/migrator'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildPackage, run, type BuiltPackage } from '../support/built-package.ts'
import { begin } from '../support/faults/methods.ts'
import { postgresHost, sqliteHost, type PostgresHost, type SqliteHost } from '../support/hosts.ts'
import { expectConsistent, runSql } from '../support/inspect.ts'
import { ROOT } from '../support/source.ts'

type Host = SqliteHost | PostgresHost

const KEY = { userId: 'ada', conversationId: 'c' }

/** How the two differ for drizzle-kit, and for who looks at what it did. */
const DIALECTS = {
  sqlite: {
    open: async () => sqliteHost(),
    kit: { dialect: 'sqlite', core: 'sqlite-core', table: 'sqliteTable' },
    /** All that is known of our tables but their rows. */
    catalog: `select sql from sqlite_master where tbl_name like 'backscroll%' order by name`,
  },
  postgres: {
    open: () => postgresHost(),
    kit: { dialect: 'postgresql', core: 'pg-core', table: 'pgTable' },
    catalog: `
      select conrelid::regclass::text || conname || pg_get_constraintdef(oid) as of from pg_constraint
      where conrelid::regclass::text like 'backscroll%'
      union all select indexdef from pg_indexes where tablename like 'backscroll%'
      union all select tablename || policyname || qual || with_check from pg_policies
      union all select relname || relrowsecurity || relforcerowsecurity from pg_class where relname like 'backscroll%'
      order by 1`,
  },
}

let built: BuiltPackage
beforeAll(async () => void (built = await buildPackage()))
afterAll(() => built.remove())

describe.each(['sqlite', 'postgres'] as const)('the drizzle-kit of an app on %s', (name) => {
  const { kit, catalog } = DIALECTS[name]
  const ALL = `export * from 'backscroll/${name}'`

  /** An app in a folder of its own: `exported` and a table of its own that refers to ours. */
  function appOf(folder: string, exported: string) {
    const cwd = join(built.host, `${name}-${folder}`)
    mkdirSync(cwd)
    writeFileSync(
      join(cwd, 'schema.ts'),
      `import { schema } from 'backscroll/${name}'
       import { foreignKey, integer, ${kit.table}, text } from 'drizzle-orm/${kit.core}'
       ${exported}
       export const tickets = ${kit.table}(
         'tickets',
         { id: integer().primaryKey(), userId: text('user_id').notNull(), conversationId: text('conversation_id').notNull() },
         (t) => [
           foreignKey({
             name: 'tickets_conversation',
             columns: [t.userId, t.conversationId],
             foreignColumns: [schema.conversations.userId, schema.conversations.id],
           }),
         ],
       )`,
    )
    const runKit = async (command: string, ...flags: string[]) => {
      const program = join(ROOT, 'node_modules/drizzle-kit/bin.cjs')
      const args = [program, command, `--dialect=${kit.dialect}`, ...flags]
      const { stdout, stderr } = await run(process.execPath, args, { cwd })
      return stdout + stderr
    }
    return {
      cwd,
      generate: () => runKit('generate', '--schema=./schema.ts', '--out=./migrations'),
      push: ({ url }: Host, ...flags: string[]) =>
        runKit('push', '--schema=./schema.ts', '--force', `--url=${url.replace('sqlite:', '')}`, ...flags),
      pull: ({ url }: Host, ...flags: string[]) =>
        runKit('pull', '--out=./pulled', `--url=${url.replace('sqlite:', '')}`, ...flags),
    }
  }

  it.each([
    ['all of the module', ALL],
    ['the tables by name', 'export const { conversations, turns, operations, migrations } = schema'],
  ])(
    'makes our tables with its own where it is given %s, and `migrate` leaves them to it',
    async (title, exported) => {
      await using host = await DIALECTS[name].open()
      const app = appOf(title.replaceAll(' ', '-'), exported)
      expect(await app.generate()).toContain('Your SQL migration file')
      const migrationsFolder = join(app.cwd, 'migrations')
      if (host.name === 'sqlite') migrateSqlite(host.db, { migrationsFolder })
      else await migratePostgres(host.db, { migrationsFolder })

      await host.store.migrate()
      await begin(host.store, KEY)
      await host.store.migrate()
      expect(await expectConsistent(host, KEY)).toHaveLength(2)
      expect(await runSql(host, 'select * from tickets')).toEqual([])
      expect(await runSql(host, 'select * from backscroll_migrations')).toEqual([])
      expect(await host.store.forgetUser('ada')).toEqual({ conversations: 1, turns: 2 })
      expect(await app.generate()).toContain('No schema changes')
    },
  )

  it('neither sees nor changes our tables, and policies, where it is told to pass over them', async () => {
    await using host = await DIALECTS[name].open()
    await host.store.migrate(name === 'postgres' ? { rowLevelSecurity: {} } : {})
    await begin(host.store, KEY)
    const before = await runSql(host, catalog)
    expect(before.length).toBeGreaterThan(5)

    const app = appOf('filtered', '')
    const filter = '--tablesFilter=!backscroll_*'
    expect(await app.push(host, filter)).toContain('Changes applied')
    expect(await runSql(host, 'select * from tickets')).toEqual([])
    expect(await app.push(host, filter)).toContain('No changes detected')
    expect(await runSql(host, catalog)).toEqual(before)
    expect(await expectConsistent(host, KEY)).toHaveLength(2)

    await app.pull(host, filter)
    const pulled = readFileSync(join(app.cwd, 'pulled/schema.ts'), 'utf8')
    expect(pulled).toContain(`"tickets"`)
    expect(pulled).not.toContain('"backscroll_')
  })
})
