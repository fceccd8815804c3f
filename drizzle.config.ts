import { defineConfig } from 'drizzle-kit'

/** One configuration for both dialects: `BACKSCROLL_DIALECT=sqlite|postgres drizzle-kit generate`. */
const dialect = process.env['BACKSCROLL_DIALECT']
if (dialect !== 'sqlite' && dialect !== 'postgres') {
  throw new Error(
    'Set BACKSCROLL_DIALECT to sqlite or postgres: each has its own schema and migrations folder.',
  )
}

export default defineConfig({
  dialect: dialect === 'postgres' ? 'postgresql' : 'sqlite',
  schema: `./src/dialect/${dialect}/schema.ts`,
  out: `./migrations/${dialect}`,
})
