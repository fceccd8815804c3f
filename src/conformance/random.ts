/** Numbers that depend on the seed alone, so that what failed can be run again. */
export interface Random {
  /** A whole number from 0 to `bound - 1`. */
  below(bound: number): number
  pick<T>(list: readonly T[]): T
}

/** The generator is mulberry32: 32 bits of state, and equal on every machine. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (bound: number) => Math.floor(next() * bound)
  return { below, pick: (list) => list[below(list.length)]! }
}
