import type { BaseMessage } from '@langchain/core/messages'

/** What messages are, to be compared: their class and all that they show, less what LangChain keeps of how they were made. */
export function shown(messages: readonly BaseMessage[]): unknown[] {
  return messages.map((message) => {
    const { lc_kwargs: _, ...fields } = message
    return { class: message.constructor.name, ...fields }
  })
}

/** Messages as a person would tell them, where their ids are drawn anew in each run. */
export function told(messages: readonly BaseMessage[]): unknown[] {
  return messages.map((message) => [message.getType(), message.content])
}
