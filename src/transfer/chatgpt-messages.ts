import type { Message, ToolMessage } from '../index.ts'
import { kindOfContent, textOf } from './chatgpt-text.ts'
import { isoTime } from './chatgpt-time.ts'
import { isObject, type JsonObject } from './json.ts'

/** A branch of a ChatGPT conversation, in OpenAI chat form. */
export interface ChatGptMessages {
  readonly messages: readonly Message[]
  /** When a message was written, as ISO text, where the export says it. */
  readonly times: ReadonlyMap<Message, string>
  /** What could not be taken over, by kind: one entry for each message, or part of a message. */
  readonly leftOut: readonly string[]
}

/**
 * Turns the messages of a branch into OpenAI chat form. What ChatGPT does not show is passed over: what it hides, its
 * settings and its reasoning. What it shows and has no text is left out, and listed.
 */
export function toMessages(path: readonly JsonObject[]): ChatGptMessages {
  const transcript = new Transcript()
  for (const message of path) if (!isHidden(message)) transcript.add(message)
  transcript.dropCall()
  return transcript
}

/** Kinds of content that ChatGPT does not show: settings, and what a model thinks before it answers. */
const HIDDEN_KINDS = ['user_editable_context', 'model_editable_context', 'thoughts', 'reasoning_recap']

function isHidden({ weight, metadata, content }: JsonObject): boolean {
  const isMarked = isObject(metadata) && metadata['is_visually_hidden_from_conversation'] === true
  return weight === 0 || isMarked || HIDDEN_KINDS.includes(kindOfContent(content))
}

class Transcript implements ChatGptMessages {
  readonly messages: Message[] = []
  readonly times = new Map<Message, string>()
  readonly leftOut: string[] = []
  /** A call that waits for its result: a model refuses a history that holds the one without the other. */
  #call: { name: string; input: string; time: string | undefined } | undefined
  /** The result that was added last, as long as nothing follows it. */
  #result: (ToolMessage & { content: string }) | undefined
  #calls = 0

  add({ author, recipient, content, create_time: seconds }: JsonObject): void {
    const role = isObject(author) ? author['role'] : undefined
    const { text, leftOut } = textOf(content)
    const time = isoTime(seconds)
    this.leftOut.push(...leftOut)
    if (text === undefined) return
    if (role === 'tool') return this.#addResult(text)
    this.#result = undefined
    if (role === 'user') this.dropCall()
    if (role === 'assistant' && typeof recipient === 'string' && recipient !== 'all') {
      this.dropCall()
      this.#call = { name: toolName(recipient), input: text, time }
    } else if (role === 'user' || ((role === 'assistant' || role === 'system') && text !== '')) {
      this.#push({ role, content: text }, time)
    } else if (text !== '') this.leftOut.push('message of an unknown role')
  }

  /** Gives up the call that waits. */
  dropCall(): void {
    if (this.#call) this.leftOut.push('tool call without a result')
    this.#call = undefined
  }

  /** A tool may answer in several messages; the chat form has one result a call. */
  #addResult(text: string): void {
    if (this.#result) this.#result.content += `\n${text}`
    else if (this.#call === undefined) this.leftOut.push('tool result without a call')
    else {
      const { name, input, time } = this.#call
      const id = `call_${++this.#calls}`
      this.#push(
        { role: 'assistant', content: null, tool_calls: [{ id, type: 'custom', custom: { name, input } }] },
        time,
      )
      this.#result = { role: 'tool', tool_call_id: id, content: text }
      this.#push(this.#result, undefined)
      this.#call = undefined
    }
  }

  #push(message: Message, time: string | undefined): void {
    this.messages.push(message)
    if (time !== undefined) this.times.set(message, time)
  }
}

/** ChatGPT's tools are named like `web.run`; the API takes these characters, and 64 of them. */
function toolName(recipient: string): string {
  return recipient.replace(/[^\w-]/g, '_').slice(0, 64)
}
