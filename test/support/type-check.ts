import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run, type Ended } from './built-package.ts'
import { ROOT } from './source.ts'

/** What TypeScript says of a test, given by its `import.meta.url`; when a test runs its types are gone. */
export async function typeCheck(url: string): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), 'backscroll-types-'))
  try {
    const config = {
      extends: `${ROOT}tsconfig.json`,
      compilerOptions: { typeRoots: [`${ROOT}node_modules/@types`] },
      files: [fileURLToPath(url)],
      // Or all that the repository's own configuration includes would be checked as well.
      include: [],
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
    return await run(process.execPath, [`${ROOT}node_modules/typescript/bin/tsc`, '-p', folder], {
      cwd: ROOT,
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
