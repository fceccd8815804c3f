import { InvalidArgumentError } from '../errors.ts'
import { checkRatio, checkWhole } from './arguments.ts'
import type { ConversationStore } from './conversation-store.ts'
import type { Conversation } from './conversation.ts'
import type { ConversationOptions, LoadWindowOptions } from './options.ts'

/** Which conversation an adapter keeps, and how much of it it gives. */
export interface BoundedOptions extends ConversationOptions {
  readonly store: ConversationStore
  /** How it is counted. Default: `chat`, which is how a model gets it; content that is not text then needs a `countPart`. */
  readonly framing?: ConversationOptions['framing']
  /** The most tokens to give, inclusive: the newest whole turns that fit. A whole number, 0 or more; by default all. */
  readonly maxTokens?: number | undefined
  /** From 0 to 1. 1, the default, is the exact newest window; below 1 its start moves in steps, for prompt caches. */
  readonly retentionRatio?: number | undefined
}

/** A conversation, and what of it is given. */
export interface Bounded {
  readonly conversation: Conversation
  readonly window: LoadWindowOptions
}

/**
 * The conversation that the options name.
 *
 * @param what whose options they are, for an error.
 * @throws {InvalidArgumentError} in one of its subclasses, for an option that is missing or out of range.
 */
export function openBounded(what: string, options: BoundedOptions): Bounded {
  const { store, maxTokens, retentionRatio, framing = 'chat', ...others } = checkHasStore(what, options)
  return {
    conversation: store.conversation({ ...others, framing }),
    window: {
      maxTokens: checkWhole('maxTokens', maxTokens ?? Number.MAX_SAFE_INTEGER, 0),
      retentionRatio: checkRatio('retentionRatio', retentionRatio ?? 1),
    },
  }
}

/** Options that name a store. @throws {InvalidArgumentError} for any others. */
export function checkHasStore<T extends { readonly store: ConversationStore }>(what: string, options: T): T {
  if (typeof options === 'object' && typeof options?.store?.conversation === 'function') return options
  throw new InvalidArgumentError(`${what} needs a store: \`store: await openStore(url)\`.`)
}
