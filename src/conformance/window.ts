import type { Conversation } from '../index.ts'
import type { Message, Window } from '../types.ts'
import { check, type Trial } from './check.ts'
import { expectSame } from './expect.ts'
import {
  loadOracle,
  newestRetained,
  newestThatFit,
  textTokens,
  tokensBeforeALine,
  type Tokens,
} from './oracle.ts'
import { hostileTurn } from './turns.ts'

const CONVERSATIONS = 12

/**
 * Random conversations, each under several limits, against the slow obvious answer: the rendered string, tokenized by
 * js-tiktoken.
 */
export const windowIsExact = check(
  'a window holds the newest whole turns that fit, and as many of them as fit',
  (trial) =>
    eachConversation(trial, async ({ conversation, turns, sizes, tokens }) => {
      for (const limit of limitsFor(trial, turns, tokens)) {
        const kept = newestThatFit(turns, limit, tokens)
        const what = `the window of ${turns.length} turns under limit ${limit}`
        expectNewest(what, await conversation.loadWindow({ maxTokens: limit }), {
          turns,
          sizes,
          kept,
          tokens,
        })
      }
    }),
)

/** The same where the start of the window moves in steps. */
export const windowMovesInSteps = check(
  'a window with a retention ratio starts at the last step, and never holds more than its limit',
  (trial) =>
    eachConversation(trial, async ({ conversation, turns, sizes, tokens }) => {
      for (const limit of limitsFor(trial, turns, tokens)) {
        const retentionRatio = trial.random.pick([0, 0.25, 0.5, 0.9])
        const kept = newestRetained(turns, limit, retentionRatio, tokens)
        const what = `the window of ${turns.length} turns under limit ${limit}, ratio ${retentionRatio}`
        const window = await conversation.loadWindow({ maxTokens: limit, retentionRatio })
        expectNewest(what, window, { turns, sizes, kept, tokens })
      }
    }),
)

interface Stored {
  readonly conversation: Conversation
  readonly turns: Message[][]
  /** What each turn adds when another one follows. */
  readonly sizes: number[]
  readonly tokens: Tokens
}

async function eachConversation(
  { store, random, user }: Trial,
  work: (stored: Stored) => Promise<void>,
): Promise<void> {
  const count = await loadOracle()
  for (let index = 0; index < CONVERSATIONS; index++) {
    const conversation = store.conversation({ userId: user(), conversationId: `window ${index}` })
    const turns = Array.from({ length: random.below(8) }, () => hostileTurn(random))
    const sizes = turns.map((turn) => tokensBeforeALine(turn, count))
    for (const [at, turn] of turns.entries()) {
      const { position, tokenCount, cumulativeTokens } = await conversation.append(turn)
      expectSame(
        `the answer to append ${at + 1}`,
        { position, tokenCount, cumulativeTokens },
        { position: at + 1, tokenCount: sizes[at], cumulativeTokens: sum(sizes.slice(0, at + 1)) },
      )
    }
    await work({ conversation, turns, sizes, tokens: textTokens(count) })
  }
}

/** None, just what some of the newest turns need and one less, what the newest needs and one less, anything, plenty. */
function limitsFor({ random }: Trial, turns: readonly Message[][], tokens: Tokens): number[] {
  const some = tokens(turns.slice(random.below(turns.length + 1)))
  const newest = tokens(turns.slice(-1))
  const less = [some - 1, newest - 1].map((limit) => Math.max(0, limit))
  return [0, some, newest, ...less, random.below(tokens(turns) + 2), Number.MAX_SAFE_INTEGER]
}

function expectNewest(
  what: string,
  window: Window,
  { turns, sizes, kept, tokens }: Omit<Stored, 'conversation'> & { readonly kept: number },
): void {
  const omittedTurns = turns.length - kept
  const newest = turns.slice(omittedTurns)
  expectSame(
    what,
    { ...window, turns: window.turns.map(({ position, messages }) => ({ position, messages })) },
    {
      turns: newest.map((messages, at) => ({ position: omittedTurns + at + 1, messages })),
      messages: newest.flat(),
      tokenCount: tokens(newest),
      omittedTurns,
      omittedTokens: sum(sizes.slice(0, omittedTurns)),
    },
  )
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
