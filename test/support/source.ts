import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  isCallExpression,
  isExportAssignment,
  isExportDeclaration,
  isIdentifier,
  isImportDeclaration,
  isNamedExports,
  isNoSubstitutionTemplateLiteral,
  isStringLiteral,
  isVariableStatement,
  SyntaxKind,
  type Node,
  type SourceFile,
} from 'typescript/unstable/ast'
import { API } from 'typescript/unstable/sync'

/** The folder of the repository. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** What a module takes from another one. */
interface Import {
  /** Another module as its path below `src`, or the name of a package as it is written. */
  readonly from: string
  /** True for what is gone when the code runs. */
  readonly typeOnly: boolean
}

/** Something that a module exports and that has a declaration there. */
interface Export {
  readonly name: string
  readonly documented: boolean
}

/** A module of the library, as the compiler reads it: comments are in none of the lists. */
export interface Module {
  /** Below `src`: `store/codec.ts`. */
  readonly path: string
  readonly lineCount: number
  readonly imports: readonly Import[]
  readonly exports: readonly Export[]
  /** The kinds of its statements, `ImportDeclaration` and so on. */
  readonly statements: readonly string[]
  readonly identifiers: ReadonlySet<string>
  /** Its string literals, those of imports left out. */
  readonly strings: readonly string[]
  readonly usesAny: boolean
  readonly hasDefaultExport: boolean
}

/** Every module in `src`, parsed by the compiler that builds it. */
export function readModules(): Module[] {
  const api = new API({ cwd: ROOT })
  try {
    const snapshot = api.updateSnapshot({ openProject: `${ROOT}tsconfig.build.json` })
    const program = snapshot.getProjects()[0]!.program
    return program
      .getSourceFileNames()
      .filter((name) => name.startsWith(`${ROOT}src/`))
      .map((name) => toModule(name.slice(`${ROOT}src/`.length), program.getSourceFile(name)!))
  } finally {
    api.close()
  }
}

function toModule(path: string, file: SourceFile): Module {
  const imports: Import[] = []
  const identifiers = new Set<string>()
  const strings: string[] = []
  let usesAny = false
  const visit = (node: Node): void => {
    const imported = importOf(node, path)
    if (imported) return void imports.push(imported)
    if (isIdentifier(node)) identifiers.add(node.text)
    if (isStringLiteral(node) || isNoSubstitutionTemplateLiteral(node) || TEMPLATE_PARTS.has(node.kind))
      strings.push((node as Node & { readonly text: string }).text)
    if (node.kind === SyntaxKind.AnyKeyword) usesAny = true
    node.forEachChild(visit)
  }
  file.forEachChild(visit)
  return {
    path,
    lineCount: readFileSync(`${ROOT}src/${path}`, 'utf8').trimEnd().split('\n').length,
    imports,
    exports: file.statements.flatMap(exportsOf),
    statements: file.statements.map((statement) => SyntaxKind[statement.kind]),
    identifiers,
    strings,
    usesAny,
    hasDefaultExport: file.statements.some(exportsDefault),
  }
}

const TEMPLATE_PARTS = new Set([SyntaxKind.TemplateHead, SyntaxKind.TemplateMiddle, SyntaxKind.TemplateTail])

/** An import in any of its forms: `import … from`, `export … from`, `import(…)`. */
function importOf(node: Node, path: string): Import | undefined {
  if (isImportDeclaration(node) || isExportDeclaration(node)) {
    if (node.moduleSpecifier === undefined || !isStringLiteral(node.moduleSpecifier)) return undefined
    const typeOnly = isImportDeclaration(node)
      ? node.importClause?.phaseModifier === SyntaxKind.TypeKeyword
      : node.isTypeOnly
    return { from: resolve(node.moduleSpecifier.text, path), typeOnly }
  }
  if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword) {
    const [specifier] = node.arguments
    if (specifier && isStringLiteral(specifier))
      return { from: resolve(specifier.text, path), typeOnly: false }
  }
  return undefined
}

function resolve(specifier: string, from: string): string {
  return specifier.startsWith('.') ? new URL(specifier, `src:/${from}`).pathname.slice(1) : specifier
}

function exportsOf(statement: Node): Export[] {
  if (!hasModifier(statement, SyntaxKind.ExportKeyword)) return []
  const documented = (statement.jsDoc?.length ?? 0) > 0
  const names = isVariableStatement(statement)
    ? statement.declarationList.declarations.map((declaration) => declaration.name)
    : [(statement as Node & { readonly name?: Node }).name]
  return names.map((name) => ({ name: name && isIdentifier(name) ? name.text : '(unnamed)', documented }))
}

/** In any of its forms: `export default …`, `export = …`, `export { … as default }`. */
function exportsDefault(statement: Node): boolean {
  if (isExportAssignment(statement) || hasModifier(statement, SyntaxKind.DefaultKeyword)) return true
  if (!isExportDeclaration(statement)) return false
  const { exportClause } = statement
  if (exportClause === undefined || !isNamedExports(exportClause)) return false
  return exportClause.elements.some(({ name }) => name.text === 'default')
}

function hasModifier(statement: Node, kind: SyntaxKind): boolean {
  const { modifiers } = statement as Node & { readonly modifiers?: readonly Node[] }
  return modifiers?.some((modifier) => modifier.kind === kind) ?? false
}
