/** How many columns a text takes on a terminal: an ideograph or an emoji takes two, a combining mark none. */
export function widthOf(text: string): number {
  let width = 0
  for (const character of text) width += characterWidth(character)
  return width
}

/** As much of a text's beginning as fits so many columns. */
export function fitting(text: string, columns: number): string {
  let width = 0
  let end = 0
  for (const character of text) {
    width += characterWidth(character)
    if (width > columns) break
    end += character.length
  }
  return text.slice(0, end)
}

/** The same with spaces behind it, up to so many columns. */
export function padded(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)))
}

function characterWidth(character: string): number {
  if (NO_WIDTH.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

const NO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}]/u

/** Source: Unicode's EastAsianWidth.txt, wide and fullwidth, in whole blocks. */
const WIDE =
  /[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]/u
