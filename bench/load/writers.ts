/**
 * 32 writers on Postgres: the store's append beside raw inserts of the same rows, and beside a transaction of two
 * statements that hands out positions as well; over 1,000 conversations and on a single one, by unnamed statements and by
 * named ones. Run: `npm run bench:writers`.
 */
import postgres from 'postgres'
import { parseArguments } from '../harness/arguments.ts'
import { postgresDatabase } from '../harness/databases.ts'
import { describeMachine } from '../harness/machine.ts'
import { spread } from '../harness/measure.ts'
import { Report, type Table } from '../harness/report.ts'
import { variedTurns } from '../harness/turns.ts'
import { APPENDERS, TURNS_BEFORE, type Appender, type AppenderName } from './appenders.ts'
import { fillAll } from './fill-all.ts'
import { takeSlices, type Slice } from './slices.ts'

const FULL = { conversations: 1000, slices: { sliceMs: 2500, rounds: 4 } }
const SHORT = { conversations: 50, slices: { sliceMs: 100, rounds: 1 } }

const WRITERS = 32
/** A connection for each writer: nobody waits for one. */
const CONNECTIONS = WRITERS

const given = parseArguments()
const { conversations, slices } = given.short ? SHORT : FULL
await using database = await postgresDatabase()
const report = new Report('writers', given, describeMachine(['postgres'], { PostgreSQL: database.version }))
const turns = await variedTurns()
const names = Object.keys(APPENDERS) as AppenderName[]
const conversationIds = Array.from({ length: conversations }, (_, at) => `conversation-${at}`)
const KINDS = ['unnamed', 'named'] as const
type Kind = (typeof KINDS)[number]
const userOf = (name: AppenderName, kind: Kind) => `${name}, ${kind}`
const users = KINDS.flatMap((kind) => names.map((name) => userOf(name, kind)))
const fillings = users.flatMap((userId) =>
  conversationIds.map((conversationId) => ({ userId, conversationId, turns: TURNS_BEFORE })),
)
await fillAll(database.url, turns, fillings)

const sql = postgres(database.url, { max: 1 })
const durability = await settings()
for (const kind of KINDS) {
  const appenders = await openAll(kind)
  for (const ids of [conversationIds, conversationIds.slice(0, 1)]) {
    const found = await takeSlices(appenders, { writers: WRITERS, conversationIds: ids, turns }, slices)
    const where =
      ids.length === 1 ? 'one conversation' : `${ids.length.toLocaleString('en-US')} conversations`
    const title = `${WRITERS} writers, ${where}, ${kind} statements (${durability})`
    report.table(
      title,
      names.map((name) => toRow(name, found)),
    )
  }
  for (const name of names) await appenders[name].close()
}
await checkPositions()
await sql.end()
report.write()

async function settings(): Promise<string> {
  const [row] = await sql`
    select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit`
  return `fsync ${row!['fsync']}, synchronous_commit ${row!['commit']}`
}

async function openAll(kind: Kind): Promise<Record<AppenderName, Appender>> {
  const opened = names.map(async (name) => {
    const options = { connections: CONNECTIONS, named: kind === 'named' }
    return [name, await APPENDERS[name](database.url, userOf(name, kind), options)] as const
  })
  return Object.fromEntries(await Promise.all(opened)) as Record<AppenderName, Appender>
}

/** A ratio is the median of each round's own. */
function toRow(
  name: AppenderName,
  found: Readonly<Record<AppenderName, readonly Slice[]>>,
): Table['rows'][number] {
  const slicesOf = found[name]
  const { median, p99 } = spread(slicesOf.flatMap(({ times }) => times))
  const ratios = slicesOf.map(({ perSecond }, round) => perSecond / found['raw insert'][round]!.perSecond)
  return {
    'append by': name,
    'a second': spread(slicesOf.map(({ perSecond }) => perSecond)).median,
    'of raw': spread(ratios).median,
    'p50 ms': median,
    'p99 ms': p99,
    'client CPU ms': spread(slicesOf.map(({ clientMs }) => clientMs)).median,
  }
}

/** Raw inserts leave the conversation's row as it was. All others must have handed out each position once, and no other. */
async function checkPositions(): Promise<void> {
  const raw = KINDS.map((kind) => userOf('raw insert', kind))
  const wrong = await sql`
    select 1
    from backscroll_conversations as c
    join backscroll_turns as t on t.user_id = c.user_id and t.conversation_id = c.id
    where c.user_id not in ${sql(raw)}
    group by c.user_id, c.id
    having count(*) <> c.turn_count or max(position) <> c.turn_count or c.last_position <> c.turn_count`
  if (wrong.length > 0)
    throw new Error(`${wrong.length} conversations do not have the turns that they count.`)
}
