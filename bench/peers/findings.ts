import { ratioOf, spread } from '../harness/measure.ts'
import type { Cell, Report } from '../harness/report.ts'
import { toRow, type Verdict } from './judge.ts'
import type { Step } from './measure-chats.ts'
import type { Engine, PeerKind } from './peer.ts'
import type { Kinds, PeerName } from './peers.ts'

type Row = Record<string, Cell>

/** What peers on an engine are compared with. */
const OURS: Record<Engine, PeerName> = { Postgres: 'backscrollPostgres', SQLite: 'backscrollSqlite' }

/** What the comparison found, as rows of its tables. */
export class Findings {
  readonly #kinds: Kinds
  readonly #times: Row[] = []
  readonly #work: Row[] = []
  readonly #verdicts: Row[] = []
  readonly #bytes: Row[] = []
  readonly #memory: Row[] = []
  /** Characters that backscroll counts in a chat step, the latest that were measured. */
  #ourCharacters = Number.NaN

  constructor(kinds: Kinds) {
    this.#kinds = kinds
  }

  /** Steps of peers by turns, on conversations of so many turns. */
  addSteps(turns: number, limit: number, steps: Readonly<Record<string, readonly Step[]>>): void {
    for (const [name, taken] of Object.entries(steps)) {
      const kind = this.#kinds[name as PeerName]
      const canChat = kind.reach.chat >= turns
      const ours = steps[OURS[kind.engine]]!
      this.#times.push({
        turns,
        limit,
        peer: kind.name,
        steps: taken.length,
        ...inColumns('load', taken, ours, ({ load }) => load),
        ...(canChat && inColumns('append', taken, ours, ({ append }) => append)),
        ...(canChat && inColumns('chat step', taken, ours, ({ load, append }) => load + append)),
      })
      if (canChat) this.addWork(kind, turns, limit, taken)
    }
  }

  /** What chat steps counted: a mean. backscroll's come first. */
  addWork(kind: PeerKind, turns: number, limit: number, steps: readonly Step[]): void {
    const mean = (of: (step: Step) => number) => steps.reduce((sum, step) => sum + of(step), 0) / steps.length
    const characters = mean((step) => step.characters)
    if (kind === this.#kinds[OURS.Postgres]) this.#ourCharacters = characters
    this.#work.push({
      turns,
      limit,
      peer: kind.name,
      'texts counted': Math.round(mean((step) => step.calls)),
      'characters counted': Math.round(characters),
      "times backscroll's": characters / this.#ourCharacters,
      'counted with': turns > kind.reach.chat ? 'length / 4, to see how much it would count' : kind.counter,
    })
  }

  addVerdict(kind: PeerKind, turns: number, limit: number, verdict: Verdict): void {
    const isAllKept = Object.values(verdict).every((value) => value !== false)
    const why = isAllKept ? '' : (kind.why ?? '')
    this.#verdicts.push({ turns, limit, peer: kind.name, ...toRow(verdict), why })
  }

  addBytes(kind: PeerKind, turns: number, bytesPerTurn: number): void {
    this.#bytes.push({ turns, peer: kind.name, 'bytes a turn': Math.round(bytesPerTurn) })
  }

  addMemory(peer: string, turns: number, mebibytes: number): void {
    this.#memory.push({ turns, peer, 'peak RSS, MiB': Math.round(mebibytes) })
  }

  /** Prints all tables. */
  report(report: Report): void {
    const kinds = Object.values(this.#kinds).map(({ name, use, counter, source }) => {
      return { peer: name, 'used by': use, 'counts with': counter, 'as in': source }
    })
    report.table('What is compared', kinds)
    report.table('What each returned', this.#verdicts)
    report.table(
      'Milliseconds of a load, an append, and a chat step, which is both; × is times backscroll on the same engine',
      this.#times,
    )
    report.table('Token counting in a chat step', this.#work)
    report.table('Memory of a process that opens the peer and loads once, at its peak', this.#memory)
    report.table('On disk', this.#bytes)
    this.#plotLoads(report)
  }

  /** A load under the lowest limit, which is the one that conversations of every length exceed. */
  #plotLoads(report: Report): void {
    const limit = Math.min(...this.#times.map((row) => Number(row['limit'])))
    const rows = this.#times.filter((row) => row['limit'] === limit)
    const onPostgres = Object.values(this.#kinds).filter(({ engine }) => engine === 'Postgres')
    report.lines('loads', {
      title: `Median time of a load on Postgres, limit ${limit.toLocaleString('en-US')} tokens`,
      x: { name: 'turns of the conversation', scale: 'log' },
      y: { name: 'milliseconds', scale: 'log' },
      series: onPostgres.map(({ name }) => {
        return { name, points: pointsOf(rows.filter(({ peer }) => peer === name)) }
      }),
    })
  }
}

function pointsOf(rows: readonly Row[]): (readonly [number, number])[] {
  return rows.map(({ turns, load }) => [Number(turns), Number(load)])
}

/** Three columns of a time: its median, its 95th percentile, and how often ours it is. */
function inColumns(
  what: string,
  taken: readonly Step[],
  ours: readonly Step[],
  of: (step: Step) => number,
): Row {
  const times = taken.map(of)
  const { median, p95 } = spread(times)
  return { [what]: median, [`${what} p95`]: p95, [`${what} ×`]: ratioOf(times, ours.map(of)) }
}
