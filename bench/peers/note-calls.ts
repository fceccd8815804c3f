import type { Tokenizer } from './tokenizer.ts'

const noting = new WeakMap<object, Set<Tokenizer>>()

/**
 * Lets a tokenizer note what a method of a peer or of backscroll is given to count: where it cannot be handed in. All
 * that asked for the same method are told of all its calls; peers take turns, so that what is told meanwhile is theirs.
 */
export function noteCalls(owner: object, method: string, tokenizer: Tokenizer): void {
  const known = noting.get(owner)
  if (known !== undefined) {
    known.add(tokenizer)
    return
  }
  const original: unknown = Reflect.get(owner, method)
  if (typeof original !== 'function') throw new Error(`There is no method ${method} to note the calls of.`)
  const tokenizers = new Set([tokenizer])
  noting.set(owner, tokenizers)
  Reflect.set(owner, method, function (this: unknown, text: string) {
    for (const each of tokenizers) each.note(text)
    return Reflect.apply(original, this, [text])
  })
}
