import type { BaseMessage } from '@langchain/core/messages'
import { MessagesAnnotation, START, StateGraph } from '@langchain/langgraph'
import { PostgresSaver } from '@langchain/langgraph-checkpoint-postgres'
import { fromLangChain, toLangChain } from './langchain-history.ts'
import type { PeerKind, PeerTurn } from './peer.ts'
import { openPool, tableBytes } from './postgres-pool.ts'
import { countChat, rememberingCounter, trim } from './trim.ts'

const TABLES = ['checkpoints', 'checkpoint_blobs', 'checkpoint_writes']

/** What the one node of the graph does in a step: it looks at the messages, and answers. */
interface Step {
  readonly ask: (messages: BaseMessage[]) => Promise<void>
  readonly answer: BaseMessage
}

/**
 * LangGraph with its Postgres checkpointer: a graph of one node, which trims and then answers without a model.
 *
 * Not with `MessagesDeltaValue`, which is experimental: over the first 100 turns it takes an eighth of the bytes and more
 * than twice the time, since this checkpointer reads the whole chain of checkpoints for it.
 */
export const langGraph: PeerKind = {
  name: 'LangGraph PostgresSaver',
  engine: 'Postgres',
  use: 'MessagesAnnotation, a node that calls trimMessages before the model, counts remembered; invoke (load alone: getState, trimMessages)',
  counter: 'js-tiktoken, o200k_base',
  source: 'docs.langchain.com/oss/javascript/langgraph/add-memory',
  reach: { load: 1_000, chat: 1_000, estimate: 1_000 },
  async open({ postgresUrl, tokenizer }) {
    const pool = openPool(postgresUrl)
    const saver = new PostgresSaver(pool)
    await saver.setup()
    let step: Step
    const graph = new StateGraph(MessagesAnnotation)
      .addNode('model', async ({ messages }) => {
        await step.ask(messages)
        return { messages: [step.answer] }
      })
      .addEdge(START, 'model')
      .compile({ checkpointer: saver })
    const configOf = (conversation: string) => ({ configurable: { thread_id: conversation } })
    const invoke = async (conversation: string, [question, answer]: PeerTurn, ask: Step['ask']) => {
      step = { ask, answer: toLangChain(answer) }
      await graph.invoke({ messages: [toLangChain(question)] }, configOf(conversation))
    }
    return {
      async fill(conversation, turns) {
        for (const turn of turns) await invoke(conversation, turn, async () => {})
      },
      async fillAtOnce(conversation, turns) {
        await graph.updateState(configOf(conversation), { messages: turns.flat().map(toLangChain) }, 'model')
      },
      async load(conversation, limit) {
        const { values } = await graph.getState(configOf(conversation))
        const { messages } = values as { messages: BaseMessage[] }
        return (await trim(messages, limit, rememberingCounter(tokenizer))).map(fromLangChain)
      },
      chat: (conversation, limit, turn, answered) =>
        invoke(conversation, turn, async (messages) => {
          await trim(messages, limit, rememberingCounter(tokenizer))
          answered()
        }),
      count: (window) => countChat(window, tokenizer),
      bytes: () => tableBytes(pool, TABLES),
      close: () => pool.end(),
    }
  },
}
