import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { run, type BuiltPackage } from '../../test/support/built-package.ts'
import type { Report } from '../harness/report.ts'

interface Packed {
  readonly size: number
  readonly unpackedSize: number
  readonly files: readonly { readonly path: string }[]
}

/** How large the package is, and what takes the room. */
export async function reportPackedSize(report: Report, { folder }: BuiltPackage): Promise<void> {
  const pack = ['pack', '--dry-run', '--json', '--ignore-scripts']
  const { stdout } = await run('npm', pack, { cwd: folder })
  const [{ size, unpackedSize, files }] = JSON.parse(stdout) as [Packed]
  const parts = new Map<string, Buffer[]>()
  for (const { path } of files) {
    const part = partOf(path)
    parts.set(part, [...(parts.get(part) ?? []), readFileSync(join(folder, path))])
  }
  const rows = [...parts].map(([part, contents]) => ({
    part,
    files: contents.length,
    kB: Buffer.concat(contents).length / 1000,
    'kB compressed by itself': gzipSync(Buffer.concat(contents)).length / 1000,
  }))
  const largestFirst = rows.toSorted((a, b) => b['kB compressed by itself'] - a['kB compressed by itself'])
  report.table('The package', [
    { part: 'all, as npm packs it', files: files.length, kB: unpackedSize / 1000, 'kB packed': size / 1000 },
    ...largestFirst,
  ])
}

/** `dist/store, types` of `dist/store/options.d.ts`; a file that stands alone by its name. */
function partOf(path: string): string {
  const [top, folder] = path.split('/') as [string, string?]
  if (top !== 'dist') return top
  const part = folder!.includes('.') ? 'dist' : `dist/${folder}`
  return `${part}, ${path.endsWith('.d.ts') ? 'types' : 'code'}`
}
