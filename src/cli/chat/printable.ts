/** A text, or a piece of one, as a terminal may show it: line breaks and tabs stay, nothing else acts on the terminal. */
export function printable(text: string): string {
  return text.replace(ACTS_ON_TERMINAL, '')
}

/** Control characters but for line feed and tab, and what turns the direction of text. */
const ACTS_ON_TERMINAL = /[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/gu
