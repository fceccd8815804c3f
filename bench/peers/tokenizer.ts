import { createRequire } from 'node:module'
import { Tiktoken, type TiktokenBPE } from 'js-tiktoken/lite'

/** A token counter that keeps account of what it is asked for. */
export class Tokenizer {
  calls = 0
  characters = 0
  readonly #count: (text: string) => number

  constructor(count: (text: string) => number) {
    this.#count = count
  }

  count(text: string): number {
    this.note(text)
    return this.#count(text)
  }

  /** Notes a text that another counter is given: one that cannot be handed in. */
  note(text: string): void {
    this.calls++
    this.characters += text.length
  }
}

const require = createRequire(import.meta.url)
let encoder: Tiktoken | undefined

/** Counts under o200k_base with js-tiktoken, which is what LangChain counts with. Built on first use: not every peer needs it. */
export function countTokens(text: string): number {
  encoder ??= new Tiktoken(require('js-tiktoken/ranks/o200k_base') as TiktokenBPE)
  return encoder.encode(text, [], []).length
}

/**
 * A quarter of the characters: what LangChain takes where it has no ranks. It leads to as many calls over as many
 * characters, within a few in a hundred, where the real counter would take minutes.
 */
export function estimateTokens(text: string): number {
  return Math.ceil(text.length / 4)
}

/** The text of a window, as the default framing of backscroll and LangChain's `getBufferString` render it. */
export function renderWindow(window: readonly { readonly role: string; readonly content: string }[]): string {
  return window.map(({ role, content }) => `${role === 'user' ? 'Human' : 'AI'}: ${content}`).join('\n')
}
