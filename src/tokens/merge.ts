import { LongMerge } from './long-merge.ts'
import { NO_RANK } from './ranks.ts'
import type { Ranks } from './ranks.ts'
import type { Steps } from './steps.ts'

/** Operations of a long merge between two yields: some 0.2 ms. */
const WORK_PER_STEP = 1024

/**
 * Bytes of a piece up to which scanning it for the lowest rank beats keeping order. The two
 * are level at 100 to 140 bytes of one letter, at 200 to 280 of Chinese.
 */
const SHORT = 128

/**
 * How many tokens BPE makes of the first `length` bytes: it merges the two neighbours whose bytes together are the token of
 * the lowest rank, the leftmost if there are several, until none are a token.
 */
export function mergeNow(ranks: Ranks, bytes: Uint8Array, length: number): number {
  if (length <= SHORT) return scanMerge(ranks, bytes, length)
  const merge = new LongMerge(ranks, bytes, length)
  merge.work(Infinity)
  return merge.parts
}

/** The same, in steps. The bytes must not change meanwhile. */
export function* mergeInSteps(ranks: Ranks, bytes: Uint8Array, length: number): Steps<number> {
  const merge = new LongMerge(ranks, bytes, length)
  while (merge.work(WORK_PER_STEP)) yield
  return merge.parts
}

const scanStarts = new Int32Array(SHORT + 1)
const scanRanks = new Int32Array(SHORT + 1)

/** The obvious way, quadratic: for short pieces only, where it is the fastest. */
function scanMerge(ranks: Ranks, bytes: Uint8Array, length: number): number {
  const starts = scanStarts
  const pairRanks = scanRanks // of the part at an index together with the next one
  for (let i = 0; i < length; i++) {
    starts[i] = i
    pairRanks[i] = i + 1 < length ? ranks.pairs[bytes[i]! * 256 + bytes[i + 1]!]! : NO_RANK
  }
  starts[length] = length
  let parts = length
  for (;;) {
    let best = 0
    let bestRank = NO_RANK
    for (let i = 0; i < parts - 1; i++) {
      const rank = pairRanks[i]!
      if (rank < bestRank) {
        bestRank = rank
        best = i
      }
    }
    if (bestRank === NO_RANK) return parts
    parts--
    for (let i = best + 1; i < parts; i++) {
      starts[i] = starts[i + 1]!
      pairRanks[i] = pairRanks[i + 1]!
    }
    starts[parts] = length
    pairRanks[best] = best + 1 < parts ? ranks.find(bytes, starts[best]!, starts[best + 2]!) : NO_RANK
    if (best > 0) pairRanks[best - 1] = ranks.find(bytes, starts[best - 1]!, starts[best + 1]!)
  }
}
