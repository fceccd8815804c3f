import { parseOptions, SHARED, SHARED_HELP } from './arguments.ts'
import type { Command } from './command.ts'
import { databaseUrl, withStore } from './database.ts'
import { json } from './print.ts'

/** `backscroll migrate`: makes the tables, or brings them up to date. */
export const command: Command = {
  help: `Makes backscroll's tables, or brings them up to date with this version. What is stored stays. Run again, or by
several processes at once, it does what is left to do and no more.

  backscroll migrate [--json]

${SHARED_HELP.database}
${SHARED_HELP.json}
${SHARED_HELP.help}

\`chat\` and \`import\` do this by themselves; the other commands leave the tables as they are.

Exit codes: 0 the tables are up to date; 1 failed; 2 wrong arguments; 3 the database cannot be reached or used now;
130 interrupted.

  backscroll migrate
  BACKSCROLL_DATABASE=postgres://… backscroll migrate`,

  async run(args, surroundings) {
    const { database, json: asJson } = parseOptions(args, OPTIONS).values
    await withStore({ url: databaseUrl(database, surroundings) }, surroundings, async () => {})
    surroundings.output.write(`${asJson ? json({ upToDate: true }) : 'The tables are up to date.'}\n`)
  },
}

const OPTIONS = { database: SHARED.database, json: SHARED.json }
