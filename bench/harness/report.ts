import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BenchArguments } from './arguments.ts'
import { drawLines, type LineChart } from './chart.ts'
import { inWords, type Machine } from './machine.ts'

/** A cell: a text as it is; a number is rounded when it is printed, and not in the JSON. */
export type Cell = string | number | boolean | null

/** A table: columns by name, each row an object of them. */
export interface Table {
  readonly title: string
  readonly rows: readonly Readonly<Record<string, Cell>>[]
}

/** What a benchmark found: printed as it comes, and at the end written to files that are called after it. */
export class Report {
  readonly #name: string
  readonly #arguments: BenchArguments
  readonly #machine: Machine
  readonly #tables: Table[] = []
  readonly #charts: [string, string][] = []

  constructor(name: string, given: BenchArguments, machine: Machine) {
    this.#name = name
    this.#arguments = given
    this.#machine = machine
    console.log(inWords(machine))
    if (given.short)
      console.log('A short run: it shows that the benchmark works, and its figures mean nothing.')
  }

  /** Prints a table, in the form of Markdown. */
  table(title: string, rows: Table['rows']): void {
    this.#tables.push({ title, rows })
    console.log(`\n${title}\n\n${toMarkdown(rows)}`)
  }

  /** Keeps a chart, for a file `NAME-WHAT.svg`. */
  lines(what: string, chart: LineChart): void {
    this.#charts.push([what, drawLines(chart)])
  }

  /** Writes `NAME.json`, `NAME.md` and the charts, and says where they are. */
  write(): void {
    const { out } = this.#arguments
    mkdirSync(out, { recursive: true })
    const write = (file: string, text: string) => writeFileSync(join(out, file), text)
    const content = { machine: this.#machine, tables: this.#tables }
    write(`${this.#name}.json`, `${JSON.stringify(content, null, 2)}\n`)
    const sections = this.#tables.map(({ title, rows }) => `## ${title}\n\n${toMarkdown(rows)}\n`)
    write(`${this.#name}.md`, [`# ${this.#name}\n`, `${inWords(this.#machine)}\n`, ...sections].join('\n'))
    for (const [what, svg] of this.#charts) write(`${this.#name}-${what}.svg`, `${svg}\n`)
    console.log(`\nWritten to ${out}: ${this.#name}.json, .md${this.#charts.length > 0 ? ' and .svg' : ''}.`)
  }
}

function toMarkdown(rows: Table['rows']): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const isNumeric = columns.map((column) => rows.some((row) => typeof row[column] === 'number'))
  const cells = [columns, ...rows.map((row) => columns.map((column) => shown(row[column])))]
  const widths = columns.map((_, at) => Math.max(3, ...cells.map((line) => line[at]!.length)))
  const lines = cells.map((line) =>
    line.map((cell, at) => (isNumeric[at] ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!))),
  )
  const rule = widths.map((width, at) => (isNumeric[at] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)))
  const [head, ...body] = [...lines.slice(0, 1), rule, ...lines.slice(1)].map(
    (line) => `| ${line.join(' | ')} |`,
  )
  return [head, ...body].join('\n')
}

/** Three digits that count, and no more than a thousandth. */
function shown(cell: Cell | undefined): string {
  if (cell === undefined || cell === null) return ''
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no'
  if (typeof cell === 'string') return cell
  if (!Number.isFinite(cell)) return String(cell)
  if (Number.isInteger(cell)) return cell.toLocaleString('en-US')
  const decimals = Math.min(3, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(cell)))))
  return cell.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
}
