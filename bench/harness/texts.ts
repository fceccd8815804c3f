/** A generator of numbers from 0 to 1, the same ones for the same seed. */
export type Random = () => number

/** A generator that begins at `seed`. Source: Numerical Recipes' linear congruential generator. */
export function randomFrom(seed: number): Random {
  let state = seed
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32
}

const ENGLISH = `the of and to in is that for it was with as his on be at by I this had not are but from or have an they which you
  conversation memory window tokens whole newest database documentation someone's retrieves yesterday approximately London 2026
  don't couldn't platform learning language decentralized productive beautiful unnecessarily infrastructure Kubernetes`
const CHINESE = `的 一 是 我们 在 有 他 这 中 大 来 上 国 个 到 说 时候 要 就 出 会议 讨论 关于 新产品 市场 推广 计划 决定 下个月 开始 实施
  认为 机会 数据库 对话 记忆 窗口 语言 模型 天气 北京 上海 因为 所以 但是 如果 可以 非常 文档 学习 平台`
const CODE = `const readonly => return await { } ( ) ; === undefined import export function position index userId "text" // for let x += 1
  [i] this.#count(text) SELECT sum(token_count) over (order by id) if(!value) throw new Error('none')`
const EMOJI = '😀 👍 🎉 👩‍👩‍👧 🇩🇪 ❤️ 🚀 🤷🏽‍♂️ ✅ 🔥'

/** What people and models write, by kind: words, what joins them, and what ends a line of them. */
const KINDS = {
  English: { words: ENGLISH.split(/\s+/), joint: ' ', end: '.\n' },
  code: { words: CODE.split(/\s+/), joint: ' ', end: '\n    ' },
  Chinese: { words: CHINESE.split(/\s+/), joint: '', end: '，' },
  emoji: { words: EMOJI.split(' '), joint: '', end: ' ' },
}

/** A kind of text. */
export type TextKind = keyof typeof KINDS

/** Every kind of text. */
export const TEXT_KINDS = Object.keys(KINDS) as TextKind[]

/** Words of a kind, the early ones more often: in texts of a few KB, pieces repeat as they do in prose. At least `length` long. */
export function prose(kind: TextKind, length: number, random: Random): string {
  const { words, joint, end } = KINDS[kind]
  const pieces: string[] = []
  for (let i = 1, written = 0; written < length; i++) {
    const piece = words[Math.floor(random() ** 2 * words.length)]! + (i % 11 === 0 ? end : joint)
    written += piece.length
    pieces.push(piece)
  }
  // Joined, not added up: V8 would keep a tree of pieces, and whoever reads it first would take the time to flatten it.
  return pieces.join('')
}
