import { isSync, type SyncDialect, type TurnRow } from '../dialect/dialect.ts'
import { InvalidArgumentError } from '../errors.ts'
import { countTurn } from '../tokens/count.ts'
import { loadEncoderSync } from '../tokens/encoder.ts'
import { atOnce } from '../tokens/steps.ts'
import type { Message, StoredTurn, Window } from '../types.ts'
import { windowBounds } from './arguments.ts'
import { Conversation } from './conversation.ts'
import { draftTurn, ruleOf } from './draft.ts'
import type { AppendOptions, LoadWindowOptions } from './options.ts'
import { Recount } from './recount.ts'
import { untilSettledNow } from './restart.ts'
import type { UserTexts } from './texts.ts'
import { toWindow } from './turns.ts'

/**
 * A conversation on a database that answers at once. Besides the methods of {@link Conversation} it has twins that
 * return when the work is done, for use inside a better-sqlite3 transaction, whose body cannot wait.
 */
export class SyncConversation extends Conversation {
  /**
   * `append`, at once. Blocks the event loop while it loads the encoder (0.1 to 0.3 s, once a process) and counts. A
   * `signal` has no effect.
   *
   * @throws what `append` throws, and {@link DatabaseUnavailableError} at once when another process is writing.
   */
  appendSync(messages: readonly Message[], options?: AppendOptions): StoredTurn {
    const draft = draftTurn(messages, options, this.context.maxTurnCharacters)
    const texts = this.context.texts.ofNow(this.userId)
    const encoder = loadEncoderSync(this.counting.encoding)
    const turn = this.newTurn(draft, atOnce(countTurn(draft.messages, encoder, this.counting)), this.counting)
    return untilSettledNow(() => {
      const encoded = texts.encodeTurn(turn)
      const outcome = this.context.calls.makeNow(() => this.#dialect.append(encoded))
      const stored = this.settle(draft, texts.decodeOutcome(this.conversationId, outcome), this.counting)
      if (!stored && !this.isCurrent(ruleOf(outcome))) this.#recountNow(texts)
      return stored
    })
  }

  /** `loadWindow`, at once. */
  loadWindowSync(options: LoadWindowOptions): Window {
    const bounds = windowBounds(options)
    const texts = this.context.texts.ofNow(this.userId)
    return untilSettledNow(() => {
      const page = this.context.calls.makeNow(() => this.#dialect.loadWindow(this.key, bounds))
      if (this.isCurrent(page.head)) return toWindow(texts.decodePage(this.conversationId, page), bounds)
      this.#recountNow(texts)
      return undefined
    })
  }

  /** One try: when others changed the conversation meanwhile, the caller finds it outdated again and comes back. */
  #recountNow(texts: UserTexts): void {
    const { calls } = this.context
    const decode = (row: TurnRow) => texts.decodeTurn(this.conversationId, row)
    const recount = new Recount(loadEncoderSync(this.counting.encoding), this.counting, decode)
    const list = () => this.#dialect.listTurns(this.key, recount.nextRange())
    const read = () => calls.makeNow(list)
    const { head, turns } = read()
    if (!head) return
    for (let rows = turns; rows.length > 0; rows = read().turns) atOnce(recount.add(rows))
    calls.makeNow(() => this.#dialect.replaceCounts(this.key, head, recount.recounted))
  }

  get #dialect(): SyncDialect {
    const { dialect } = this.context
    if (!isSync(dialect)) {
      throw new InvalidArgumentError('This database does not answer at once: use append and loadWindow.')
    }
    return dialect
  }
}
