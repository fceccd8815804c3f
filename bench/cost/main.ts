/**
 * What `retentionRatio` saves: has long chats once more, turn by turn, with windows of several limits and ratios, and adds
 * up what a provider with a prompt cache would charge for the input. Run: `npm run bench:cost`, or on recorded
 * conversations, `npm run bench:cost -- FILE.jsonl`.
 *
 * Nothing is timed: the figures are the same on every machine.
 */
import { parse } from 'node:path'
import { openStore } from '../../src/index.ts'
import { parseArguments } from '../harness/arguments.ts'
import { describeMachine } from '../harness/machine.ts'
import { Report } from '../harness/report.ts'
import { prose, randomFrom } from '../harness/texts.ts'
import { generatedChats, recordedChats } from './chats.ts'
import { reportFindings } from './findings.ts'
import { MessageTokenizer } from './message-tokens.ts'
import { noUsage, replay } from './replay.ts'

const LIMITS = [2_000, 4_000, 8_000, 16_000, 32_000]
const RATIOS = [1, 0.9, 0.75, 0.5]

const SIZES = { chats: 12, leastTurns: 200, mostTurns: 400 }
const SHORT_SIZES = { chats: 2, leastTurns: 30, mostTurns: 40 }

/** Some 1,200 tokens: enough to be cached by itself, so that a window that slides is not made to look worse than it is. */
const SYSTEM = prose('English', 6_000, randomFrom(3))

/** More tokens than any chat has: all of it is sent each time. */
const WHOLE_HISTORY = { maxTokens: 2 ** 31 - 1, retentionRatio: 1 }

const given = parseArguments()
const [file, ...others] = given.files
if (others.length > 0) throw new Error('bench:cost takes one file.')
const name = file === undefined ? 'cost' : `cost-${parse(file).name}`
const report = new Report(name, given, describeMachine(['better-sqlite3', 'js-tiktoken']))

const sizes = given.short ? SHORT_SIZES : SIZES
const chats = file === undefined ? await generatedChats(sizes) : await recordedChats(file)
const whole = { ...WHOLE_HISTORY, usage: noUsage() }
const windows = LIMITS.flatMap((maxTokens) =>
  RATIOS.map((retentionRatio) => ({ maxTokens, retentionRatio, usage: noUsage() })),
)
const options = { windows: [whole, ...windows], system: SYSTEM, tokenizer: new MessageTokenizer() }
await using store = await openStore('sqlite::memory:')
for (const { userId, turns } of chats) {
  const conversation = store.conversation({ userId, conversationId: 'replayed', framing: 'chat' })
  await replay(conversation, turns, options)
}

const systemTokens = options.tokenizer.tokensOf({ role: 'system', content: SYSTEM }).length
reportFindings(report, { chats: chats.length, systemTokens, whole: whole.usage, windows })
report.write()
