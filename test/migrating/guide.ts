import { readFileSync } from 'node:fs'

const GUIDE = readFileSync(new URL('../../docs/migrating.md', import.meta.url), 'utf8')

/** The queries and scripts of the guide, by the file name in their first line. */
const FILES = new Map(
  Array.from(GUIDE.matchAll(/^```(?:sql|js)\n(?:--|\/\/) (\S+)\n[\s\S]*?(?=^```$)/gm), ([block, name]) => [
    name!,
    block.slice(block.indexOf('\n') + 1),
  ]),
)

/** A query or a script as a reader would copy it out of the guide. */
export function guideFile(name: string): string {
  const file = FILES.get(name)
  if (file === undefined) throw new Error(`docs/migrating.md has no block that begins with ${name}.`)
  return file
}

/** What the guide's command line says behind `npx backscroll`, with its option for texts alone or without it. */
export function importArguments({ withPictures }: { withPictures: boolean }): string[] {
  const [, file, forTexts] = /^npx backscroll import (\S+) (--framing chat) #/m.exec(GUIDE) ?? []
  if (!file || !forTexts) throw new Error('docs/migrating.md does not say how to import.')
  return ['import', file, ...(withPictures ? [] : forTexts.split(' '))]
}
