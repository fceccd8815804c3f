/** A text in pieces of one word and the spaces after it, none of them empty. Joined they are the text. */
export function words(text: string): string[] {
  return text.match(/\S+\s*|\s+/g) ?? []
}

/** A text without words, such as JSON, in pieces of at most 12 characters. Joined they are the text. */
export function fragments(text: string): string[] {
  return text.match(/[^]{1,12}/gu) ?? []
}
