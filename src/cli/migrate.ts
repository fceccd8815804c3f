import { parseOptions, SHARED, SHARED_HELP, WrongArgumentsError } from './arguments.ts'
import type { Command } from './command.ts'
import { databaseUrl, migrate, rowLevelSecurityStatements } from './database.ts'
import { json } from './print.ts'

/** `backscroll migrate`: makes the tables, or brings them up to date. */
export const command: Command = {
  help: `Makes backscroll's tables, or brings them up to date with this version. What is stored stays. Run again, or by
several processes at once, it does what is left to do and no more.

  backscroll migrate [--row-level-security [--role NAME]] [--print | --json]

${SHARED_HELP.database}
  --row-level-security Postgres: also makes the policies that keep users apart, for stores that are opened with
                       rowLevelSecurity. Run it as the owner of the tables
  --role NAME          grants this role, which must be neither the owner nor a superuser, what such a store needs
                       on the tables; usage on a schema other than public is yours to grant
  --print              prints the statements of --row-level-security, and runs nothing. They are for the owner of tables
                       that are there, in one transaction: psql --single-transaction -v ON_ERROR_STOP=1
${SHARED_HELP.json}
${SHARED_HELP.help}

\`chat\` and \`import\` do this by themselves; the other commands leave the tables as they are.

Exit codes: 0 the tables are up to date; 1 failed; 2 wrong arguments; 3 the database cannot be reached or used now;
130 interrupted.

  backscroll migrate
  BACKSCROLL_DATABASE=postgres://… backscroll migrate
  backscroll migrate --row-level-security --role app --print`,

  async run(args, surroundings) {
    const { values } = parseOptions(args, OPTIONS)
    const isWalled = values['row-level-security']
    if (!isWalled && (values.role !== undefined || values.print)) {
      throw new WrongArgumentsError('--role and --print belong to --row-level-security.')
    }
    if (values.print && values.json)
      throw new WrongArgumentsError('--print prints SQL, and --json cannot change that.')
    const rowLevelSecurity = isWalled ? { role: values.role } : undefined
    const { output } = surroundings
    if (rowLevelSecurity && values.print) {
      output.write(await rowLevelSecurityStatements(rowLevelSecurity))
      return
    }
    const url = databaseUrl(values.database, surroundings)
    await migrate(url, surroundings, { rowLevelSecurity })
    const line = `The tables are up to date${isWalled ? ', and row-level security is in force' : ''}.`
    output.write(
      `${values.json ? json({ upToDate: true, ...(isWalled && { rowLevelSecurity: true }) }) : line}\n`,
    )
  },
}

const OPTIONS = {
  database: SHARED.database,
  'row-level-security': { type: 'boolean', default: false },
  role: { type: 'string' },
  print: { type: 'boolean', default: false },
  json: SHARED.json,
} as const
