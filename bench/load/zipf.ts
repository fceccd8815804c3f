import type { Random } from '../harness/texts.ts'

/**
 * Draws ranks from 0 by Zipf's law: the rank r comes as often as 1 / (r + 1) of the first, so that a few are drawn most
 * of the time and most of them hardly ever.
 */
export function zipfRanks(count: number): (random: Random) => number {
  const sums = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank++) sums[rank] = sum += 1 / (rank + 1)
  return (random) => {
    const drawn = random() * sum
    let low = 0
    for (let high = count - 1; low < high;) {
      const middle = (low + high) >> 1
      if (sums[middle]! > drawn) high = middle
      else low = middle + 1
    }
    return low
  }
}
