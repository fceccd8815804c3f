import { convertToModelMessages, type ModelMessage, type UIMessage } from 'ai'
import { checkOptions } from '../store/arguments.ts'
import type { Conversation } from '../store/conversation.ts'
import type { CallOptions } from '../store/options.ts'
import { withoutOrphans } from '../store/orphans.ts'
import { checkConversation } from './checks.ts'
import { fromStored } from './stored-form.ts'
import { toUIMessages } from './ui-messages.ts'

/** How much of a conversation to load. */
export interface LoadMessagesOptions extends CallOptions {
  /** The most tokens of history, inclusive: a whole number, 0 or more. By default all of it is loaded. */
  readonly maxTokens?: number | undefined
  /** From 0 to 1. 1, the default, is the exact newest window; below 1 its start moves in steps, for prompt caches. */
  readonly retentionRatio?: number | undefined
}

type ConvertOptions = NonNullable<Parameters<typeof convertToModelMessages>[1]>

/** How much to load, and how the SDK is to turn UI messages into model messages: the options that it takes itself. */
export interface LoadModelMessagesOptions extends LoadMessagesOptions {
  /** Needed where a tool says by `toModelOutput` what a model is given of its output. */
  readonly tools?: ConvertOptions['tools'] | undefined
  readonly ignoreIncompleteToolCalls?: boolean | undefined
  readonly convertDataPart?: ConvertOptions['convertDataPart'] | undefined
}

/**
 * The newest whole turns that fit `maxTokens`, as `streamText` and `generateText` take them, oldest first. Messages that
 * were saved as model messages are as they were; UI messages are what `convertToModelMessages` makes of them.
 *
 * One statement; nothing is counted.
 *
 * @throws what the conversation's `loadWindow` throws.
 */
export async function loadModelMessages(
  conversation: Conversation,
  options?: LoadModelMessagesOptions,
): Promise<ModelMessage[]> {
  const { maxTokens, retentionRatio, signal, ...convert } = checkOptions('loadModelMessages', options)
  const turns = await loadTurns(conversation, { maxTokens, retentionRatio, signal })
  const loaded: ModelMessage[] = []
  let shown: UIMessage[] = []
  // A run of UI messages together: the SDK looks at those that follow.
  const convertShown = async (): Promise<void> => {
    if (shown.length > 0) loaded.push(...(await convertToModelMessages(shown, convert as ConvertOptions)))
    shown = []
  }
  const messages = turns.flatMap((turn) => turn.messages)
  for (const stored of fromStored(maxTokens === undefined ? messages : withoutOrphans(messages))) {
    if (stored.form === 'ui') shown.push(stored.message)
    else {
      await convertShown()
      loaded.push(stored.message)
    }
  }
  await convertShown()
  return loaded
}

/**
 * The newest whole turns that fit `maxTokens`, as `useChat` takes them, oldest first. Messages that were saved as UI
 * messages are as they were; of others, an answer with all its steps is one message, with an id that stays the same.
 *
 * One statement; nothing is counted. Tools, metadata and data parts are as they were saved: where the app's own have
 * changed since, let `validateUIMessages` look at them.
 *
 * @throws what the conversation's `loadWindow` throws.
 */
export async function loadUIMessages<Shown extends UIMessage = UIMessage>(
  conversation: Conversation,
  options?: LoadMessagesOptions,
): Promise<Shown[]> {
  const turns = await loadTurns(conversation, checkOptions('loadUIMessages', options))
  return toUIMessages(turns).map(({ message }) => message as Shown)
}

async function loadTurns(conversation: Conversation, options: LoadMessagesOptions) {
  checkConversation(conversation)
  const { maxTokens = Number.MAX_SAFE_INTEGER, retentionRatio, signal } = options
  return (await conversation.loadWindow({ maxTokens, retentionRatio, signal })).turns
}
